// The triangle: three classes, their weights a handle to drag, the exact minimiser a star. field.js draws what is below them; here
// the drawing is made once and moved, so that a frame lays nothing out but two lines of text.

const LEAST = 0.01; // of a weight that is dragged
const overlay = document.getElementById("overlay");

function inverse(x, y) {
  const top = 1 - (y - PAD) / HIGH, right = (x - PAD) / SIDE - top / 2;
  return [top, 1 - top - right, right];
}

/** The three weights: those that the reader dragged, else m, n and the next of the row that decides, scaled to 1. */
function threeOf(row) {
  if (state.three) return state.three;
  const n = runnerUp(row), rest = row.weights.filter((_, k) => k !== row.target && k !== n);
  const three = [row.weights[row.target], row.weights[n], Math.max(0, ...rest)].map(w => Math.max(w, 1e-9));
  const total = three.reduce((s, w) => s + w, 0);
  return three.map(w => w / total);
}
let lastRow = null;
const threeRow = () => {
  const weights = threeOf(lastRow ?? rowsNow()[0]);
  return {name: "three classes", weights, target: weights.indexOf(Math.max(...weights))};
};

const STAR = "M" + Array.from({length: 10}, (_, i) => {
  const angle = Math.PI * (i / 5 - 0.5), length = i % 2 ? 0.42 : 1;
  return `${(length * Math.cos(angle)).toFixed(3)} ${(length * Math.sin(angle)).toFixed(3)}`;
}).join("L") + "Z";

/** The parts that move, made once: the star and the handle. */
function makeOverlay() {
  const svg = element("svg", {viewBox: `0 0 ${SIDE + 2 * PAD} ${HIGH + 2 * PAD}`, role: "group", "aria-label": "simplex of three classes"});
  svg.append(element("path", {class: "edge", d: `M${CORNERS.map(c => c.join(" ")).join("L")}Z`}));
  CORNERS.forEach(([x, y], k) => svg.append(element("text", {x: x + [20, -14, 14][k], y: y + [2, 18, 18][k], "text-anchor": "middle"}, "e", element("tspan", {dy: 4, "font-size": "70%"}, String(k + 1)))));
  const star = element("path", {class: "star", d: STAR, "vector-effect": "non-scaling-stroke"});
  const handle = element("g", {class: "handle", tabindex: "0", role: "slider", "aria-label": "weights of the three classes; arrow keys move them", "aria-valuemin": 0, "aria-valuemax": 1},
    element("circle", {class: "touch", r: 18}), element("circle", {class: "ring", r: 7}));
  svg.append(star, handle);
  overlay.replaceChildren(svg);
  return {star, handle};
}
const moving = makeOverlay();

let tables = null; // of the loss as it is set: they do not depend on the weights
function tablesNow() {
  const key = `${state.loss} ${Object.values(state.parameters)}`;
  if (tables?.key !== key) {
    const loss = profile(state.loss, state.parameters, 3);
    tables = {key, loss, values: tabled(loss)};
  }
  return tables;
}

function drawSimplex(row = lastRow) {
  lastRow = row;
  const mine = threeRow(), {weights} = mine, {loss, values} = tablesNow();
  shade(values, weights);
  drawFlow(loss, weights);
  const {point, why} = minimise(state.loss, state.parameters, weights), {star, handle} = moving;
  star.style.display = point ? "" : "none";
  if (point) {
    const there = Math.max(...point) > 1 - 1e-9;
    star.classList.toggle("there", there);
    star.setAttribute("transform", `translate(${placeX(point).toFixed(2)} ${placeY(point).toFixed(2)}) scale(${there ? 11 : 9})`);
  }
  handle.setAttribute("transform", `translate(${placeX(weights).toFixed(2)} ${placeY(weights).toFixed(2)})`);
  const short = (u, digits) => shown(Number(u.toFixed(digits)));
  handle.setAttribute("aria-valuenow", weights[0].toFixed(3));
  handle.setAttribute("aria-valuetext", `w = ${weights.map(w => short(w, 3)).join(", ")}`);
  const at3 = ["w₁", "w₂", "w₃"].map((name, k) => `${name} = ${short(weights[k], 3)}`).join(", ");
  write("simplex-says", `${at3}. ` + (point === null ? `No exact minimiser: ${why}.`
    : decide(loss, mine).holds ? `The minimiser is the vertex e${"₁₂₃"[mine.target]}: asymmetric.` : `The minimiser is (${point.map(u => short(u, 4)).join(", ")}).`));
  const {normalised} = LOSSES[state.loss];
  write("simplex-note", normalised.length ? `shades without ${normalised.join(" and ")}` : "");
}

// ---- the handle: by pointer and by keyboard
function toWeights(u, part) {
  const kept = u.map(x => Math.max(LEAST, x)), total = kept.reduce((s, x) => s + x, 0);
  state.three = kept.map(x => x / total);
  later(part);
}
overlay.addEventListener("pointerdown", event => {
  const box = overlay.getBoundingClientRect(), unit = (SIDE + 2 * PAD) / box.width;
  const move = e => { e.preventDefault(); toWeights(inverse((e.clientX - box.left) * unit, (e.clientY - box.top) * unit), TRIANGLE); };
  const up = () => {
    removeEventListener("pointermove", move);
    removeEventListener("pointerup", up);
    removeEventListener("pointercancel", up);
    later(TRIANGLE);
    later(ADDRESS);
  };
  move(event);
  addEventListener("pointermove", move, {passive: false});
  addEventListener("pointerup", up);
  addEventListener("pointercancel", up);
});
overlay.addEventListener("keydown", event => {
  const ways = {ArrowUp: [0.02, -0.01, -0.01], ArrowDown: [-0.02, 0.01, 0.01], ArrowLeft: [0, 0.02, -0.02], ArrowRight: [0, -0.02, 0.02]};
  const way = ways[event.key];
  if (!way) return;
  event.preventDefault();
  toWeights(threeOf(lastRow).map((w, k) => w + way[k]), TRIANGLE);
  later(ADDRESS);
});
new MutationObserver(() => later(TRIANGLE)).observe(document.documentElement, {attributes: true, attributeFilter: ["data-theme"]});
dark.addEventListener("change", () => later(TRIANGLE));
begin();
