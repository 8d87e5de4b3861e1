// The triangle: three classes, their weights a handle to drag, the risk as shades with contours, the flow of gradient descent on
// logits, and the exact minimiser. Fields are cheap: F(u) = phi_1(u_1) + phi_2(u_2) + phi_3(u_3), each phi_k from a table.

const SIDE = 320, HIGH = SIDE * Math.sqrt(3) / 2, PAD = 26, TABLE = 240, BANDS = 14, LEAST = 0.01;
const field = document.getElementById("field"), overlay = document.getElementById("overlay");
const dark = matchMedia("(prefers-color-scheme: dark)");

/** Corners in units of the drawing: e_1 at the top, e_2 left, e_3 right. */
const CORNERS = [[PAD + SIDE / 2, PAD], [PAD, PAD + HIGH], [PAD + SIDE, PAD + HIGH]];
const place = u => [0, 1].map(axis => CORNERS.reduce((s, corner, k) => s + u[k] * corner[axis], 0));
function inverse([x, y]) {
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

function drawSimplex(_, row) {
  lastRow = row;
  const mine = threeRow(), {weights} = mine, loss = profile(state.loss, state.parameters, 3);
  const phi = weights.map(w => Float64Array.from({length: TABLE + 1}, (_, i) => w * loss.value.active(Math.max(i, 0.02) / TABLE) + (1 - w) * loss.value.passive(Math.max(i, 0.02) / TABLE)));
  shade(phi);
  const found = minimise(state.loss, state.parameters, weights), svg = element("svg", {viewBox: `0 0 ${SIDE + 2 * PAD} ${HIGH + 2 * PAD}`, role: "group", "aria-label": "simplex of three classes"});
  svg.append(element("path", {class: "edge", d: `M${CORNERS.map(c => c.join(" ")).join("L")}Z`}));
  for (const line of flows(loss, weights)) svg.append(element("path", {class: "flow", d: `M${line.map(p => p.map(x => x.toFixed(1)).join(" ")).join("L")}`}));
  CORNERS.forEach(([x, y], k) => svg.append(element("text", {x: x + [0, -14, 14][k], y: y + [-14, 18, 18][k], "text-anchor": "middle"}, "e", element("tspan", {dy: 4, "font-size": "70%"}, String(k + 1)))));
  if (found.point) {
    const [x, y] = place(found.point), atVertex = Math.max(...found.point) > 1 - 1e-9;
    svg.append(element("path", {class: `star${atVertex ? " there" : ""}`, d: star(x, y, atVertex ? 11 : 9)}));
  }
  const [x, y] = place(weights);
  const handle = element("g", {class: "handle", tabindex: "0", role: "slider", "aria-label": "weights of the three classes; arrow keys move them", "aria-valuemin": 0, "aria-valuemax": 1,
    "aria-valuenow": weights[0].toFixed(3), "aria-valuetext": `w = ${weights.map(w => shown(Number(w.toFixed(3)))).join(", ")}`},
    element("circle", {class: "touch", cx: x, cy: y, r: 18}), element("circle", {class: "ring", cx: x, cy: y, r: 7}));
  svg.append(handle);
  const focused = overlay.contains(document.activeElement) && document.activeElement.classList.contains("handle");
  overlay.replaceChildren(svg);
  if (focused) handle.focus();
  const verdict = decide(loss, mine).holds, at3 = ["w₁", "w₂", "w₃"].map((name, k) => `${name} = ${shown(Number(weights[k].toFixed(3)))}`).join(", ");
  at("simplex-says").textContent = `${at3}. ` + (found.point === null ? `No exact minimiser: ${found.why}.`
    : verdict ? `The minimiser is the vertex e${"₁₂₃"[mine.target]}: asymmetric.` : `The minimiser is (${found.point.map(u => shown(Number(u.toFixed(4)))).join(", ")}).`);
  const {normalised} = LOSSES[state.loss];
  at("simplex-note").textContent = normalised.length ? `shades without ${normalised.join(" and ")}` : "";
}

const star = (x, y, r) => "M" + Array.from({length: 10}, (_, i) => {
  const angle = Math.PI * (i / 5 - 0.5), length = i % 2 ? 0.42 * r : r;
  return `${(x + length * Math.cos(angle)).toFixed(1)} ${(y + length * Math.sin(angle)).toFixed(1)}`;
}).join("L") + "Z";

/** Shades of the risk in bands, from its least value (dark) up; bands are of equal shares of the area. */
function shade(phi) {
  const scale = 1.5, wide = Math.round((SIDE + 2 * PAD) * scale), high = Math.round((HIGH + 2 * PAD) * scale);
  if (field.width !== wide) { field.width = wide; field.height = high; }
  const values = new Float64Array(wide * high).fill(NaN), sample = [];
  for (let j = 0; j < high; j++) {
    const top = 1 - (j / scale - PAD) / HIGH, from = PAD + SIDE * top / 2, to = PAD + SIDE - SIDE * top / 2; // a row has one u_1
    if (top < 0 || top > 1) continue;
    const base = look(phi[0], top);
    for (let i = Math.ceil(from * scale); i <= to * scale; i++) {
      const right = (i / scale - PAD) / SIDE - top / 2, value = base + look(phi[1], Math.max(0, 1 - top - right)) + look(phi[2], right);
      values[j * wide + i] = value;
      if ((i * 7 + j * 13) % 61 === 0 && Number.isFinite(value)) sample.push(value);
    }
  }
  sample.sort((a, b) => a - b);
  const cuts = Array.from({length: BANDS - 1}, (_, k) => sample[Math.floor(sample.length * (k + 1) / BANDS)]);
  const colours = palette(), picture = new ImageData(wide, high), pixels = new Uint32Array(picture.data.buffer);
  const band = value => { let k = 0; while (k < cuts.length && value > cuts[k]) k++; return k; };
  let above = new Int8Array(wide).fill(-1);
  for (let j = 0; j < high; j++) {
    let left = -1;
    const row = new Int8Array(wide).fill(-1);
    for (let i = 0; i < wide; i++) {
      const value = values[j * wide + i];
      if (Number.isNaN(value)) { left = -1; continue; }
      const k = band(value);
      row[i] = k;
      const edge = (left >= 0 && left !== k) || (above[i] >= 0 && above[i] !== k);
      pixels[j * wide + i] = edge ? colours.line : colours.bands[k];
      left = k;
    }
    above = row;
  }
  field.getContext("2d").putImageData(picture, 0, 0);
}

function look(table, u) {
  const x = u * TABLE, i = Math.min(TABLE - 1, Math.max(0, Math.floor(x)));
  return table[i] + (x - i) * (table[i + 1] - table[i]);
}

/** Colours of the bands as 32-bit numbers, for light and dark pages. */
function palette() {
  const isDark = (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
  const [from, to] = isDark ? [[43, 92, 140], [26, 28, 31]] : [[120, 168, 216], [246, 247, 249]];
  const pack = ([r, g, b]) => (255 << 24 | Math.round(b) << 16 | Math.round(g) << 8 | Math.round(r)) >>> 0;
  const mix = t => from.map((x, i) => x + (to[i] - x) * t);
  return {bands: Array.from({length: BANDS}, (_, k) => pack(mix(k / (BANDS - 1)))), line: pack(isDark ? [96, 104, 112] : [160, 170, 180])};
}

/** Gradient descent on softmax logits, dz/dt = -dF/dz, from a ring of starts. */
function flows(loss, weights) {
  const {active, passive} = loss.slope, slope = (w, u) => mixed(w, active(u), passive(u)), found = [];
  for (let start = 0; start < 9; start++) {
    const angle = 2 * Math.PI * start / 9 + 0.2;
    let z = [Math.cos(angle), Math.cos(angle + 2.0944), Math.cos(angle + 4.1888)].map(x => 2.6 * x);
    const line = [];
    for (let step = 0; step < 90; step++) {
      const e = z.map(Math.exp), total = e[0] + e[1] + e[2], u = e.map(x => x / total);
      line.push(place(u));
      const g = u.map((x, k) => slope(weights[k], Math.max(x, 1e-9))), mean = u.reduce((s, x, k) => s + (Number.isFinite(g[k]) ? x * g[k] : 0), 0);
      const dz = u.map((x, k) => -x * ((Number.isFinite(g[k]) ? g[k] : 0) - mean)), size = Math.hypot(...dz);
      if (size < 1e-7) break;
      z = z.map((x, k) => Math.max(-30, Math.min(30, x + 0.18 * dz[k] / Math.max(size, 0.02))));
    }
    found.push(line);
  }
  return found;
}

// ---- the handle: by pointer and by keyboard
function toWeights(u) {
  const kept = u.map(x => Math.max(LEAST, x)), total = kept.reduce((s, x) => s + x, 0);
  state.three = kept.map(x => x / total);
  later();
}
overlay.addEventListener("pointerdown", event => {
  const box = overlay.getBoundingClientRect(), unit = (SIDE + 2 * PAD) / box.width;
  const move = e => { e.preventDefault(); toWeights(inverse([(e.clientX - box.left) * unit, (e.clientY - box.top) * unit])); };
  const up = () => { removeEventListener("pointermove", move); removeEventListener("pointerup", up); removeEventListener("pointercancel", up); };
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
  toWeights(threeOf(lastRow).map((w, k) => w + way[k]));
});
new MutationObserver(() => later()).observe(document.documentElement, {attributes: true, attributeFilter: ["data-theme"]});
dark.addEventListener("change", () => later());
begin();
