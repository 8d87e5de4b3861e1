// The panel: controls, answers and two plots; simplex.js has the triangle. What it calls is in solve.js.

// ------------------------------------------------------------------------------------------------- drawing

function element(tag, attributes = {}, ...children) {
  const SVG = ["svg", "path", "line", "rect", "circle", "text", "g", "title", "tspan"];
  const made = SVG.includes(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const WIDTH = 420, HEIGHT = 250, LEFT = 46, RIGHT = 12, TOP = 14, BOTTOM = 34;
const across = x => LEFT + x * (WIDTH - LEFT - RIGHT);

/** Axes with round ticks on y; returns the drawing and the map of y values to its height. */
function axes(label, low, high, xTicks, xLabel) {
  const span = high - low || 1, raw = span / 4, power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find(k => k * power >= raw);
  const up = y => HEIGHT - BOTTOM - (y - low) / span * (HEIGHT - TOP - BOTTOM);
  const drawn = element("svg", {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label});
  for (let y = Math.ceil(low / step - 1e-9) * step; y <= high + 1e-9 * span; y += step) {
    drawn.append(
      element("line", {class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: up(y), y2: up(y)}),
      element("text", {x: LEFT - 6, y: up(y) + 4, "text-anchor": "end"}, shown(Math.abs(y) < 1e-9 * span ? 0 : y)));
  }
  for (const [x, text] of xTicks) drawn.append(element("text", {x: across(x), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle"}, text));
  drawn.append(
    element("line", {class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: up(low), y2: up(low)}),
    element("text", {x: across(0.5), y: HEIGHT - 3, "text-anchor": "middle"}, xLabel));
  return [drawn, up];
}

function drawProfile(loss) {
  const grid = Array.from({length: 241}, (_, i) => i / 240);
  // up to a constant: 0 where the term is least
  const curves = [["active", "labelled class", 1], ["passive", "each other class", 0]]
    .map(([side, text, end]) => ({side, text, y: grid.map(u => loss.value[side](u) - loss.value[side](end))}))
    .filter(({y}) => y.some(v => v !== 0));
  // a curve that is infinite at 0 is cut where it leaves the plot
  const most = Math.max(...curves.flatMap(({y}) => y.filter((v, i) => Number.isFinite(v) && (Number.isFinite(y[0]) || i > 2))));
  const least = Math.min(0, ...curves.flatMap(({y}) => y.filter(Number.isFinite)));
  const label = `Profile of the loss over u: ${curves.map(({text, y}) => `${text} from ${shown(y[0])} at 0 to ${shown(y.at(-1))} at 1`).join("; ")}`;
  const [drawn, up] = axes(label, least, most, [[0, "0"], [0.5, "0.5"], [1, "1"]], "u");
  for (const {side, y} of curves) {
    const d = grid.map((u, i) => [u, y[i]]).filter(([, v]) => v <= most)
      .map(([u, v], i) => `${i ? "L" : "M"}${across(u).toFixed(2)} ${up(v).toFixed(2)}`).join("");
    drawn.append(element("path", {class: side, d}));
  }
  return [drawn, curves];
}

let bars = {key: ""}; // of the row that is shown: only their heights move with a parameter
function drawMinimiser(row, point, names) {
  const K = row.weights.length, n = runnerUp(row), key = `${row.target} ${names} ${row.weights}`;
  if (bars.key !== key) bars = {key, ...makeBars(row, n, names)};
  bars.svg.setAttribute("aria-label", point === null ? "Weights of the classes; no minimiser is drawn"
    : `Minimiser: class m has ${shown(point[row.target])}, class n ${shown(point[n])}` +
      `, ${point.filter(x => x > 0).length} of ${K} classes are above 0`);
  for (const {k, bar, title, name} of bars.each) {
    title.textContent = `${name}: w = ${shown(row.weights[k])}` + (point ? `, u = ${shown(point[k])}` : "");
    bar.style.display = point ? "" : "none";
    if (point) {
      bar.setAttribute("y", bars.up(point[k]).toFixed(2));
      bar.setAttribute("height", Math.max(0, bars.up(0) - bars.up(point[k])).toFixed(2));
    }
  }
  return bars.svg;
}

/** The axes with a bar and a mark of its weight for every class, the true one first. */
function makeBars(row, n, names) {
  const K = row.weights.length, order = [row.target, ...row.weights.keys()].filter((k, i) => i === 0 || k !== row.target);
  const pitch = 1 / K, half = Math.min(0.7, 0.4 + K / 40) * pitch * (WIDTH - LEFT - RIGHT) / 2;
  const ticks = order.map((k, i) => [(i + 0.5) * pitch, k === row.target ? "m" : k === n ? "n" : ""]).filter(([, text]) => text);
  const [svg, up] = axes("", 0, 1, ticks, "classes, the true one (m) first");
  const each = order.map((k, i) => {
    const x = across((i + 0.5) * pitch), y = up(row.weights[k]), title = element("title");
    const bar = element("rect", {class: k === row.target ? "bar first" : "bar", x: x - half, width: 2 * half});
    svg.append(element("g", {}, title, bar, element("line", {class: "weight", x1: x - half - 1, x2: x + half + 1, y1: y, y2: y})));
    return {k, bar, title, name: names ? names[k] : `class ${k}`};
  });
  return {svg, up, each};
}

// ------------------------------------------------------------------------------------------------ the panel

window.asymtheory = {LOSSES, NOISES, ROWS, profile, decide, minimise, threshold, rates, familyRow, inWords};

const panel = document.getElementById("panel");
const at = id => document.getElementById(id);
const state = {loss: panel.dataset.loss, parameters: {}, noise: panel.dataset.noise, K: Number(panel.dataset.k), eta: Number(panel.dataset.eta), row: null, three: null};
const OPEN = {
  K: {name: "K", text: "[2, 1000], whole numbers", slider: [2, 100, 1], low: 2, high: 1000, lowClosed: true, highClosed: true, integer: true},
  eta: {name: "eta", text: "[0, 1]", slider: [0, 1, 0.01], low: 0, high: 1, lowClosed: true, highClosed: true, integer: false},
};

const within = (x, {low, high, lowClosed, highClosed, integer}) => Number.isFinite(x) && (!integer || Number.isInteger(x)) &&
  (low === null || (lowClosed ? x >= low : x > low)) && (high === null || (highClosed ? x <= high : x < high));

/** A slider and a box for the same number; ``set`` gets every value inside the domain. What takes long waits until the slider rests. */
function control(facts, value, set) {
  const {name, slider: [least, most, step]} = facts, id = `p-${name}`;
  const range = element("input", {type: "range", id, min: least, max: most, step, "aria-describedby": `${id}-where`});
  const box = element("input", {type: "number", id: `${id}-box`, step: "any", inputmode: "decimal", "aria-label": `${name}, typed`, "aria-describedby": `${id}-where`});
  const where = element("p", {id: `${id}-where`, class: "where"});
  range.value = box.value = value;
  const take = (x, other, part) => {
    const good = within(x, facts);
    box.toggleAttribute("aria-invalid", !good);
    at("answers").classList.toggle("old", Boolean(panel.querySelector("[aria-invalid]"))); // what is shown is of the last good entry
    if (!good) { where.textContent = `${symbol(name)} must be in ${facts.text.replace("inf", "∞")}`; return; }
    other.value = x;
    set(x);
    later(part);
  };
  range.addEventListener("input", () => take(Number(range.value), box, MOVES));
  range.addEventListener("change", () => later());
  box.addEventListener("input", () => take(box.value === "" ? NaN : Number(box.value), range, ALL));
  return element("div", {class: "control"}, element("label", {for: id}, symbol(name)), range, box, where);
}

function rowsNow() {
  if (state.noise === "row") return [ROWS[state.row]];
  return state.noise === "given" ? GIVEN.rows : [familyRow(state.noise, state.K, state.eta)];
}

function showControls(given = {}) {
  const {parameters} = LOSSES[state.loss];
  state.parameters = Object.fromEntries(parameters.map(p => [p.name, given[p.name] ?? Number(p.default)]));
  at("parameters").replaceChildren(...parameters.map(p => control(p, state.parameters[p.name], x => { state.parameters[p.name] = x; })));
  at("play").disabled = LOSSES[state.loss].main === null || !parameters.some(p => p.name === LOSSES[state.loss].main);
}

function showNoise() {
  const open = state.noise !== "given" && state.noise !== "row";
  at("rates").hidden = !open;
  at("noise-text").innerHTML = open ? NOISE_TEXT[state.noise] : state.noise === "given" ? `${GIVEN.classes} classes, the rows that can bind` : "";
  if (state.noise === "row") at("noise-text").textContent = `one row: ${ROWS[state.row].name}`;
  for (const button of document.querySelectorAll("[data-row]")) button.setAttribute("aria-pressed", String(state.noise === "row" && Number(button.dataset.row) === state.row));
  state.three = null; // the triangle follows the noise again
}

/** Load one row of the reader's noise: from the matrix above. */
function loadRow(index) {
  state.noise = "row";
  state.row = index;
  at("noise").value = "row";
  showNoise();
  later();
}

// ---- one draw a frame, of what has changed: while a slider, the handle or `play` moves, only what follows at once
const TRIANGLE = 1, ANSWERS = 2, THRESHOLDS = 4, ADDRESS = 8, MOVES = TRIANGLE | ANSWERS, ALL = 15;
let wanted = 0;
function later(part = ALL) {
  if (!wanted) requestAnimationFrame(draw);
  wanted |= part;
}

function draw() {
  const part = wanted;
  wanted = 0;
  if (part & ANSWERS) showAnswers();
  if (part & THRESHOLDS) showThresholds();
  if (part & TRIANGLE) drawSimplex();
  if (part & ADDRESS) {
    remember();
    at("command").replaceChildren(...command().flatMap(part => [element("span", {}, part), " "]));
  }
}

/** Which values would do: of every parameter, and of the noise rate. */
function showThresholds() {
  const {title, main, parameters: facts} = LOSSES[state.loss], rows = rowsNow();
  const loss = profile(state.loss, state.parameters, rows[0].weights.length), {dominant, holds} = deciding(loss, rows);
  let answer = "";
  for (const p of facts) {
    const text = dominant ? inWords(symbol(p.name), threshold(state.loss, state.parameters, p.name, rows), p) : `no ${symbol(p.name)}`;
    const where = at(`p-${p.name}-where`);
    if (!where.closest(".control").querySelector("[aria-invalid]")) where.textContent = text === "undecided" ? "beyond floating point: the command decides" : `asymmetric for ${text}`;
    if (p.name === main) answer = text;
  }
  if (state.noise !== "given" && state.noise !== "row") {
    at("p-K-where").textContent = "";
    at("p-eta-where").textContent = `asymmetric for ${inWords("η", rates(state.loss, state.parameters, state.noise, state.K), OPEN.eta)}`;
  }
  at("threshold").textContent = answer || (holds ? "always" : holds === false ? "never" : "undecided");
  at("threshold-of").textContent = answer === "undecided" ? "in floating point; the command below is exact" : main ? `makes ${title} asymmetric here` : `${title} has no parameter that moves this`;
}

/** What the loss as it is set does: verdict, minimiser, profile. */
function showAnswers() {
  const {title, formula, normalised, fixed} = LOSSES[state.loss], rows = rowsNow();
  const loss = profile(state.loss, state.parameters, rows[0].weights.length), found = deciding(loss, rows), {row} = found;
  const {point, why, unique} = minimise(state.loss, state.parameters, row.weights);
  lastRow = row;
  const verdict = found.holds === null ? "undecided here" : found.holds ? "asymmetric" : "not asymmetric";
  write("verdict", `As set: ${verdict}`);
  at("verdict").dataset.holds = found.holds;
  write("because", because(found) + (normalised.length ? ` ${normalised.join(" and ")} is least in the limit at the same point and changes nothing.` : ""));
  const [curve, curves] = drawProfile(loss);
  at("profile").replaceChildren(curve);
  write("profile-note", normalised.length ? `without ${normalised.join(" and ")}, up to a constant` : "up to a constant");
  const drawn = drawMinimiser(row, point, state.noise === "given" ? GIVEN.names : null);
  if (drawn.parentNode !== at("minimiser")) at("minimiser").replaceChildren(drawn);
  write("point", point === null ? `No exact minimiser: ${why}. The command below searches for it.`
    : pointInWords(row, point) + (unique ? "" : " (one of several)"));
  const about = `${state.loss}: ${curves.map(({text}) => text)}`;
  if (told === about) return;
  told = about;
  at("formula").innerHTML = `${title}: ${formula}` + ( // set by the package: indices and powers
    fixed.length ? ` (${fixed.map(symbol).join(" and ")} do not move the threshold)` : "");
  at("profile-key").replaceChildren(...curves.map(({side, text}) => element("span", {class: `key ${side}`}, text)));
}
let told = null; // whose formula and key are shown

/** A text, where it has changed: what stays is not laid out again. */
function write(id, text) {
  if (at(id).textContent !== text) at(id).textContent = text;
}

function because({shape, dominant, atZero, atOne, holds, second}) {
  if (!dominant) return "The true class has not the unique largest weight, so no loss is tolerant.";
  if (second === 0) return "All other weights are 0.";
  if (shape === CONVEX && holds === null) return "The slopes are too large for floating point; the command below decides exactly.";
  if (shape === MIXED) return "The terms are neither all convex nor all concave.";
  if (shape === LINEAR || shape === CONCAVE) return `Every φ is ${shape === LINEAR ? "linear" : "concave"}: a unique largest weight suffices.`;
  return `Every φ is convex: φₘ′(1) ≤ φₙ′(0) is needed, here ${shown(atOne)} ${holds ? "≤" : ">"} ${shown(atZero)}.`;
}

function pointInWords(row, point) {
  const n = runnerUp(row), rest = point.filter((_, k) => k !== row.target && k !== n);
  const parts = [`uₘ = ${shown(point[row.target])}`, `uₙ = ${shown(point[n])}`];
  if (rest.length) {
    const [low, high] = [Math.min(...rest), Math.max(...rest)];
    parts.push(high - low < 5e-7 ? `all others ${shown(high)}` : `the others from ${shown(low)} to ${shown(high)}`);
  }
  return `Minimiser: ${parts.join(", ")}.`;
}

/** The command that answers the same, in parts that are not to be broken. */
function command() {
  const set = LOSSES[state.loss].parameters.map(p => `${p.name}=${state.parameters[p.name]}`);
  const noise = state.noise === "row" ? [`--weights ${ROWS[state.row].weights.map(w => Number(w.toPrecision(12))).join(",")}`]
    : state.noise === "given" ? [panel.dataset.given] : [`--noise ${state.noise}`, `--K ${state.K}`, `--eta ${state.eta}`];
  return ["asymtheory check", `--loss ${state.loss}`, ...(set.length ? [`--set ${set.join(" ")}`] : []), ...noise];
}

// ---- the state in the address: #panel:loss=amse;a=3;noise=symmetric;K=10;eta=0.8
function remember() {
  const parts = [`loss=${state.loss}`, ...Object.entries(state.parameters).map(([name, x]) => `${name}=${x}`), `noise=${state.noise}`];
  if (state.noise === "row") parts.push(`row=${state.row}`);
  else if (state.noise !== "given") parts.push(`K=${state.K}`, `eta=${state.eta}`);
  if (state.three) parts.push(`w=${state.three.map(x => Number(x.toFixed(4))).join(",")}`);
  if (ready) history.replaceState(null, "", `#panel:${parts.join(";")}`); // a short hash: the address can be sent
}

/** What an address says, as far as it is valid. */
function recall() {
  if (!location.hash.startsWith("#panel:")) return {};
  const said = Object.fromEntries(decodeURIComponent(location.hash.slice(7)).split(";").map(part => part.split("=")));
  if (said.loss in LOSSES) state.loss = said.loss;
  const given = {};
  for (const p of LOSSES[state.loss].parameters) if (p.name in said && within(Number(said[p.name]), p)) given[p.name] = Number(said[p.name]);
  const known = said.noise in NOISES || (said.noise === "given" && GIVEN) || (said.noise === "row" && ROWS[said.row]);
  if (known) state.noise = said.noise;
  if (said.noise === "row" && known) state.row = Number(said.row);
  for (const name of ["K", "eta"]) if (name in said && within(Number(said[name]), OPEN[name])) state[name] = Number(said[name]);
  const three = (said.w ?? "").split(",").map(Number);
  if (three.length === 3 && three.every(x => x > 0)) state.wanted = three;
  return given;
}

// ---- the command to the clipboard
at("copy").addEventListener("click", async () => {
  const text = command().join(" ");
  try { await navigator.clipboard.writeText(text); at("copied").textContent = "copied"; }
  catch {
    getSelection().selectAllChildren(at("command"));
    at("copied").textContent = "selected: copy it with the keyboard";
  }
  setTimeout(() => { at("copied").textContent = ""; }, 2500);
});

// ---- the parameter moves through its threshold
let playing = null, ready = false;
function play() {
  const {main, parameters} = LOSSES[state.loss], facts = parameters.find(p => p.name === main);
  const pieces = threshold(state.loss, state.parameters, main, [threeRow()]);
  const ends = pieces.flatMap(([from, to]) => [from, to]).filter(x => x !== null && x !== facts.low && x !== facts.high);
  const start = facts.low ?? -1, star = ends[0] ?? facts.slider[1] / 2, still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const span = facts.high === null ? 1.5 * (star - start) : Math.min(1.5 * (star - start), facts.high - start);
  const seconds = still ? 0 : 5, began = performance.now(), range = at(`p-${main}`), box = at(`p-${main}-box`);
  const put = share => {
    let x = start + span * Math.max(share, facts.lowClosed ? 0 : 1e-3);
    if (facts.integer) x = Math.round(x);
    if (!within(x, facts)) return;
    state.parameters[main] = Number(x.toPrecision(4));
    range.value = box.value = state.parameters[main];
    later(MOVES);
  };
  const frame = now => {
    const share = seconds ? Math.min(1, (now - began) / (1000 * seconds)) : 1;
    if (share >= 1) stop();
    put(share);
    if (playing) playing = requestAnimationFrame(frame);
  };
  playing = requestAnimationFrame(frame);
  at("play").setAttribute("aria-pressed", "true");
  at("play").textContent = "Stop";
}
function stop() {
  if (!playing) return;
  cancelAnimationFrame(playing);
  playing = null;
  later();
  at("play").setAttribute("aria-pressed", "false");
  at("play").textContent = "Play";
}
at("play").addEventListener("click", () => (playing ? stop() : play()));

// ---- start, once simplex.js is there
function begin() {
  at("loss").append(...Object.entries(LOSSES).map(([name, {title}]) => element("option", {value: name}, title)));
  at("noise").append(...Object.keys(NOISES).map(kind => element("option", {value: kind}, kind)));
  if (GIVEN) at("noise").append(element("option", {value: "given"}, `${GIVEN.kind}, as above`));
  if (ROWS.length) at("noise").append(element("option", {value: "row"}, "one row of the matrix"));
  const main = LOSSES[state.loss].main, started = panel.dataset.value ? {[main]: Number(panel.dataset.value)} : {};
  const given = recall();
  at("loss").value = state.loss;
  at("noise").value = state.noise;
  at("rates").replaceChildren(
    control(OPEN.K, state.K, x => { state.K = x; state.three = null; }), control(OPEN.eta, state.eta, x => { state.eta = x; state.three = null; }));
  at("loss").addEventListener("change", event => { stop(); state.loss = event.target.value; showControls(); later(); });
  at("noise").addEventListener("change", event => {
    if (event.target.value === "row") state.row ??= 0;
    state.noise = event.target.value;
    showNoise();
    later();
  });
  for (const button of document.querySelectorAll("[data-row]")) button.addEventListener("click", () => loadRow(Number(button.dataset.row)));
  panel.addEventListener("submit", event => event.preventDefault());
  showControls(state.loss === panel.dataset.loss && !Object.keys(given).length ? started : given);
  showNoise();
  if (state.wanted) { state.three = state.wanted; }
  wanted = ALL;
  draw();
  ready = true;
}
