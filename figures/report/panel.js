// The panel. ATOMS (terms and slopes of every loss), LOSSES, NOISES and GIVEN stand above, written from the package's
// own definitions (figures/report/panel.py); what follows knows no loss. Notation: docs/theory.md, section 1.

// ------------------------------------------------------------------------------------------------ solving

const TIE = 1e-12;                // relative: a difference of slopes that is left to rounding counts as equality
const NEXT_TO_ONE = 1 - 2 ** -40; // where a slope at 1 is 0 * inf (focal loss); its slope at 0 is -inf, so it settles nothing
const CONVEX = 1, CONCAVE = -1, LINEAR = 0, MIXED = null;
const STEP = 1 / 8;               // of the scan for a threshold, in powers of two
const MOST_COUNT = 4096;          // whole-number parameters are tried up to here

function sum(first, last, term) {
  let total = 0;
  for (let j = first; j <= last; j++) total += term(j);
  return total;
}

/** A loss with its parameters on K classes: slopes and values of its separable part, and its shape. */
function profile(name, parameters, K) {
  const terms = LOSSES[name].terms.map(term => {
    const atom = ATOMS[term.atom];
    return {atom, factor: (term.name ? parameters[term.name] : term.coefficient) * atom.scale(K)};
  });
  const part = (side, what) => u => terms.reduce((s, t) => s + t.factor * t.atom[side][what](u, parameters), 0);
  const shapes = terms.flatMap(term => shapesOf(term.atom, parameters));
  return {
    value: {active: part("active", "value"), passive: part("passive", "value")},
    slope: {active: part("active", "slope"), passive: part("passive", "slope")},
    shape: shapes.includes(MIXED) || (shapes.includes(CONVEX) && shapes.includes(CONCAVE)) ? MIXED
      : shapes.includes(CONVEX) ? CONVEX : shapes.includes(CONCAVE) ? CONCAVE : LINEAR,
  };
}

function shapesOf(atom, parameters) {
  const here = atom.shapes.find(({where}) => Object.entries(where).every(([name, [low, high, point]]) => {
    const x = parameters[name];
    return point ? x === low : (low === null || x >= low) && (high === null || x <= high);
  })); // points stand before the intervals that they end
  return here.shape;
}

/** phi_k'(u) = w active' + (1 - w) passive'; a weight of 0 removes an infinite slope. */
const mixed = (w, own, other) => (w > 0 ? w * own : 0) + (w < 1 ? (1 - w) * other : 0);

/** The row of weights (total 1) of class m: m first, n second, the others equal. */
function familyRow(kind, K, eta) {
  const [top, second, total] = NOISES[kind](K, eta);
  const rest = K > 2 ? (total - top - second) / (K - 2) : 0;
  const weights = Array.from({length: K}, (_, k) => (k === 0 ? top : k === 1 ? second : Math.abs(rest) < TIE ? 0 : rest));
  return {name: "every class", target: 0, weights};
}

function runnerUp({weights, target}) {
  let best = target === 0 ? 1 : 0;
  weights.forEach((w, k) => { if (k !== target && w > weights[best]) best = k; });
  return best;
}

/** Is e_m the only minimiser on this row? With both sides of the KKT condition where the loss is convex. */
function decide(loss, row) {
  const top = row.weights[row.target], second = row.weights[runnerUp(row)];
  const facts = {shape: loss.shape, top, second, dominant: top - second > TIE};
  if (!facts.dominant) return {...facts, holds: false};
  if (second === 0) return {...facts, holds: true};
  if (loss.shape === MIXED) return {...facts, holds: null};
  if (loss.shape !== CONVEX) return {...facts, holds: true};
  const {active, passive} = loss.slope;
  const one = Number.isNaN(active(1)) ? NEXT_TO_ONE : 1;
  const [a0, a1, p0, p1] = [active(0), active(one), passive(0), passive(1)];
  const atZero = mixed(second, a0, p0), atOne = mixed(top, a1, p1), slack = atZero - atOne;
  const size = Math.abs(second * a0) + Math.abs(p0) + Math.abs(top * a1) + Math.abs((1 - top) * p1);
  const tie = Number.isFinite(size) && Math.abs(slack) <= TIE * size;
  return {...facts, atZero, atOne, slack, holds: Number.isNaN(slack) ? null : tie || slack >= 0};
}

/** The row that decides: one that fails, of those the one of least slack (or margin). */
function deciding(loss, rows) {
  const order = ({holds, slack, top, second}) => [holds === false ? 0 : holds === null ? 1 : 2, slack ?? top - second];
  return rows.map(row => ({row, ...decide(loss, row)})).reduce((best, found) => {
    const [a, b] = [order(best), order(found)];
    return b[0] < a[0] || (b[0] === a[0] && b[1] < a[1]) ? found : best;
  });
}

/** The minimiser of the weighted risk of one row: {point, unique} or {point: null, why}. */
function minimise(name, parameters, weights) {
  const loss = profile(name, parameters, weights.length);
  const found = loss.shape === MIXED ? null : loss.shape === CONVEX ? waterFilling(loss, weights) : vertex(weights);
  if (found === null) return {point: null, why: "its terms are neither all convex nor all concave"};
  const {normalised} = LOSSES[name];
  // NCE and NFL are least, in the limit, wherever a class of least weight has u_k = 0; elsewhere they move the minimiser
  if (normalised.length && !found.point.includes(0)) {
    return {point: null, why: `${normalised.join(" and ")} moves it away from the minimiser of the rest of the sum`};
  }
  return found;
}

function vertex(weights) {
  const most = Math.max(...weights), m = weights.indexOf(most);
  return {point: weights.map((_, k) => Number(k === m)), unique: weights.filter(w => most - w <= TIE).length === 1};
}

/** KKT of convex phi_k: phi_k'(u_k) = lambda where u_k > 0, phi_k'(0) >= lambda elsewhere, and the u_k sum to 1. */
function waterFilling(loss, weights) {
  const K = weights.length, target = weights.indexOf(Math.max(...weights));
  if (decide(loss, {weights, target}).holds) return vertex(weights);
  const {active, passive} = loss.slope, levels = [...new Set(weights)];
  const count = levels.map(w => weights.filter(x => x === w).length);
  const slope = (w, u) => mixed(w, active(u), passive(u));
  const reach = (w, below) => { // the largest u with below(phi'(u))
    if (!below(slope(w, 1e-300))) return 0;
    let low = 0, high = 1;
    for (let i = 0; i < 70; i++) {
      const middle = (low + high) / 2;
      if (below(slope(w, middle))) low = middle; else high = middle;
    }
    return low;
  };
  const filled = below => levels.map(w => reach(w, below));
  const whole = u => u.reduce((s, x, i) => s + count[i] * x, 0);
  // some u_k > 0 is at least 1/K and some at most 1/K, so the multiplier lies among the slopes there
  const middle = levels.map(w => slope(w, 1 / K));
  let low = Math.min(...middle), high = Math.max(...middle);
  for (let i = 0; i < 100; i++) {
    const lambda = (low + high) / 2;
    if (whole(filled(s => s < lambda)) > 1) high = lambda; else low = lambda;
  }
  // where phi_k' is flat at lambda (PHuber-CE) the minimiser is a set; the room is shared out in proportion
  const less = filled(s => s < low), more = filled(s => s <= high);
  const room = 1 - whole(less), extra = whole(more) - whole(less);
  const share = extra > 0 ? Math.min(1, Math.max(0, room / extra)) : 0;
  const u = less.map((x, i) => x + share * (more[i] - x)), scale = whole(u);
  const point = weights.map(w => u[levels.indexOf(w)] / scale);
  return {point, unique: !less.some((x, i) => more[i] - x > 1e-6 && count[i] > 1)};
}

// ----------------------------------------------------------------------------------------- thresholds by scan

/** Where ``feasible`` (true, false, or null: not known) holds on an open interval: [low, high, lowClosed, highClosed];
 *  the sign changes are roots of the KKT condition, where it still holds. */
function scan(low, high, feasible) {
  const pieces = [];
  let before = null, start = null;
  for (const x of ladder(low, high)) {
    const here = feasible(x);
    if (here === null) continue;
    if (before === null) start = here ? [low, false] : null;
    else if (here !== before.here) {
      const root = bisect(before.x, x, before.here, feasible);
      if (here) start = [root, true];
      else { pieces.push([start[0], root, start[1], true]); start = null; }
    }
    before = {x, here};
  }
  if (start) pieces.push([start[0], high, start[1], false]);
  return pieces;
}

/** Points of an open interval, dense next to its ends. */
function ladder(low, high) {
  const powers = (from, to) => Array.from({length: Math.round((to - from) / STEP) + 1}, (_, i) => 2 ** (from + i * STEP));
  if (low === null) return powers(-60, 60).map(x => high - x).reverse();
  if (high === null) return powers(low === 0 ? -60 : -46, 60).map(x => low + x);
  const near = powers(-46, -1), width = high - low;
  return [...near.map(x => low + width * x), ...near.slice(0, -1).reverse().map(x => high - width * x)];
}

function bisect(left, right, atLeft, feasible) {
  for (let i = 0; i < 80; i++) {
    const middle = (left + right) / 2;
    if (middle <= left || middle >= right) break;
    if (feasible(middle) === atLeft) left = middle; else right = middle;
  }
  return (left + right) / 2;
}

/** The values of one parameter for which the loss is asymmetric on all rows. */
function threshold(name, parameters, parameter, rows) {
  const facts = LOSSES[name].parameters.find(p => p.name === parameter), K = rows[0].weights.length;
  const holds = (x, strict) => {
    const loss = profile(name, {...parameters, [parameter]: x}, K);
    let all = true;
    for (const row of rows) {
      const {holds, slack} = decide(loss, row);
      if (holds === false || (strict && slack < 0)) return false; // no allowance for rounding while a root is sought
      if (holds === null) all = null;
    }
    return all;
  };
  if (facts.integer) return counts(facts, n => holds(n, false));
  return joined(facts.low, facts.high, facts.cuts, facts, x => holds(x, true), x => holds(x, false));
}

/** The noise rates of a family on which the loss with its parameters is asymmetric. */
function rates(name, parameters, kind, K) {
  const loss = profile(name, parameters, K);
  const at = strict => eta => {
    const {holds, slack, dominant} = decide(loss, familyRow(kind, K, eta));
    return holds && strict && slack < 0 ? false : dominant ? holds : false;
  };
  const ends = {lowClosed: true, highClosed: true};
  // at the end of the dominance of clean labels equality does not count
  const dominant = eta => decide(loss, familyRow(kind, K, Math.min(1, eta))).dominant;
  return joined(0, 1, [], ends, at(true), at(false)).map(([low, high, lowClosed, highClosed]) =>
    [low, high, lowClosed, highClosed && dominant(high * (1 + 1e-9))]);
}

/** Scans of the open pieces between the cuts, joined through the cuts and closed ends that hold themselves. */
function joined(low, high, cuts, {lowClosed, highClosed}, inside, point) {
  const edges = [low, ...cuts.filter(c => c !== low && c !== high), high], pieces = [];
  const add = piece => {
    const last = pieces.at(-1);
    if (last && last[1] !== null && last[1] === piece[0] && (last[3] || piece[2])) [last[1], last[3]] = [piece[1], piece[3]];
    else pieces.push(piece);
  };
  edges.forEach((edge, i) => {
    const ownEnd = i === 0 ? lowClosed : i === edges.length - 1 ? highClosed : true;
    if (edge !== null && ownEnd && point(edge)) add([edge, edge, true, true]);
    if (i < edges.length - 1) scan(edge, edges[i + 1], inside).forEach(add);
  });
  return pieces;
}

/** Whole numbers: runs, assuming at most one change between the tried ones. */
function counts({low, high}, holds) {
  const last = high ?? MOST_COUNT, tried = [];
  for (let n = low; n <= last; n = n < low + 16 ? n + 1 : Math.min(2 * n, n === last ? n + 1 : last)) tried.push(n);
  const pieces = [];
  tried.forEach((n, i) => {
    if (!holds(n)) return;
    let from = n, to = n;
    const edge = (inside, outside) => {
      while (Math.abs(outside - inside) > 1) {
        const middle = Math.floor((inside + outside) / 2);
        if (holds(middle)) inside = middle; else outside = middle;
      }
      return inside;
    };
    if (i > 0 && !holds(tried[i - 1])) from = edge(n, tried[i - 1]);
    if (i < tried.length - 1 && !holds(tried[i + 1])) to = edge(n, tried[i + 1]);
    if (n === last && high === null) to = null; // as far as was tried
    if (i > 0 && holds(tried[i - 1])) pieces.at(-1)[1] = to;
    else pieces.push([from, to, true, true]);
  });
  return pieces;
}

// ------------------------------------------------------------------------------------------------- words

const shown = x => (Number.isFinite(x) ? String(Number(x.toPrecision(6))) : x > 0 ? "∞" : "−∞").replace("-", "−");

/** Pieces in words: "a ≥ 9", "q ≤ 1 or 2 ≤ q ≤ 7.88"; the domain's own ends are left out. */
function inWords(name, pieces, {low, high, lowClosed, highClosed}) {
  if (!pieces.length) return `no ${name}`;
  return pieces.map(([from, to, fromClosed, toClosed]) => {
    if (from === to && from !== null) return `${name} = ${shown(from)}`;
    const start = from === null || (from === low && fromClosed === lowClosed) ? null : from;
    const end = to === null || (to === high && toClosed === highClosed) ? null : to;
    if (start !== null && end !== null) return `${shown(start)} ${fromClosed ? "≤" : "<"} ${name} ${toClosed ? "≤" : "<"} ${shown(end)}`;
    if (start !== null) return `${name} ${fromClosed ? "≥" : ">"} ${shown(start)}`;
    if (end !== null) return `${name} ${toClosed ? "≤" : "<"} ${shown(end)}`;
    return `any ${name}`;
  }).join(" or ");
}

const GREEK = {alpha: "α", beta: "β", gamma: "γ", tau: "τ", eta: "η"};
const symbol = name => GREEK[name] ?? name;

// ------------------------------------------------------------------------------------------------- drawing

function element(tag, attributes = {}, ...children) {
  const SVG = ["svg", "path", "line", "rect", "text", "g", "title", "tspan"];
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

function drawMinimiser(row, point, names) {
  const K = row.weights.length, order = [row.target, ...row.weights.keys()].filter((k, i) => i === 0 || k !== row.target);
  const n = runnerUp(row), pitch = 1 / K, wide = Math.min(0.7, 0.4 + K / 40) * pitch;
  const ticks = order.map((k, i) => [(i + 0.5) * pitch, k === row.target ? "m" : k === n ? "n" : ""]).filter(([, text]) => text);
  const label = point === null ? "Weights of the classes; no minimiser is drawn"
    : `Minimiser: class m has ${shown(point[row.target])}, class n ${shown(point[n])}` +
      `, ${point.filter(x => x > 0).length} of ${K} classes are above 0`;
  const [drawn, up] = axes(label, 0, 1, ticks, "classes, the true one (m) first");
  order.forEach((k, i) => {
    const x = across((i + 0.5) * pitch), half = (wide * (WIDTH - LEFT - RIGHT)) / 2;
    const text = `${names ? names[k] : `class ${k}`}: w = ${shown(row.weights[k])}` + (point ? `, u = ${shown(point[k])}` : "");
    const bar = point === null ? [] : [element("rect", {class: k === row.target ? "bar first" : "bar", x: x - half, width: 2 * half,
      y: up(point[k]), height: Math.max(0, up(0) - up(point[k]))})];
    const y = up(row.weights[k]);
    drawn.append(element("g", {}, element("title", {}, text), ...bar,
      element("line", {class: "weight", x1: x - half - 1, x2: x + half + 1, y1: y, y2: y})));
  });
  return drawn;
}

// ------------------------------------------------------------------------------------------------ the panel

window.asymtheory = {LOSSES, NOISES, profile, decide, minimise, threshold, rates, familyRow, inWords};

const panel = document.getElementById("panel");
const at = id => document.getElementById(id);
const state = {loss: panel.dataset.loss, parameters: {}, noise: panel.dataset.noise, K: Number(panel.dataset.k), eta: Number(panel.dataset.eta)};
const OPEN = {
  K: {name: "K", text: "[2, 1000], whole numbers", slider: [2, 100, 1], low: 2, high: 1000, lowClosed: true, highClosed: true, integer: true},
  eta: {name: "eta", text: "[0, 1]", slider: [0, 1, 0.01], low: 0, high: 1, lowClosed: true, highClosed: true, integer: false},
};

const within = (x, {low, high, lowClosed, highClosed, integer}) => Number.isFinite(x) && (!integer || Number.isInteger(x)) &&
  (low === null || (lowClosed ? x >= low : x > low)) && (high === null || (highClosed ? x <= high : x < high));

/** A slider and a box for the same number; ``set`` gets every value inside the domain. */
function control(facts, value, set) {
  const {name, slider: [least, most, step]} = facts, id = `p-${name}`;
  const range = element("input", {type: "range", id, min: least, max: most, step, "aria-describedby": `${id}-where`});
  const box = element("input", {type: "number", id: `${id}-box`, step: "any", inputmode: "decimal", "aria-label": `${name}, typed`, "aria-describedby": `${id}-where`});
  const where = element("p", {id: `${id}-where`, class: "where"});
  range.value = box.value = value;
  const take = (x, other) => {
    const good = within(x, facts);
    box.toggleAttribute("aria-invalid", !good);
    if (!good) { where.textContent = `${symbol(name)} must be in ${facts.text.replace("inf", "∞")}`; return; }
    other.value = x;
    set(x);
  };
  range.addEventListener("input", () => take(Number(range.value), box));
  box.addEventListener("input", () => take(box.value === "" ? NaN : Number(box.value), range));
  return element("div", {class: "control"}, element("label", {for: id}, symbol(name)), range, box, where);
}

function rowsNow() {
  return state.noise === "given" ? GIVEN.rows : [familyRow(state.noise, state.K, state.eta)];
}

function showControls() {
  const {parameters} = LOSSES[state.loss];
  state.parameters = Object.fromEntries(parameters.map(p => [p.name, Number(p.default)]));
  at("parameters").replaceChildren(...parameters.map(p => control(p, Number(p.default), x => { state.parameters[p.name] = x; later(); })));
}

function showNoise() {
  const open = state.noise !== "given";
  at("rates").hidden = !open;
  at("noise-text").innerHTML = open ? NOISE_TEXT[state.noise] : `${GIVEN.classes} classes, the rows that can bind`;
}

let waiting = false;
function later() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; redraw(); });
}

function redraw() {
  const {title, formula, main, normalised, fixed, parameters: facts} = LOSSES[state.loss], rows = rowsNow();
  const K = rows[0].weights.length, loss = profile(state.loss, state.parameters, K), found = deciding(loss, rows), {row} = found;
  const {point, why, unique} = minimise(state.loss, state.parameters, row.weights);
  let answer = "";
  for (const p of facts) {
    const text = found.dominant ? inWords(symbol(p.name), threshold(state.loss, state.parameters, p.name, rows), p) : `no ${symbol(p.name)}`;
    at(`p-${p.name}-where`).textContent = `asymmetric for ${text}`;
    if (p.name === main) answer = text;
  }
  if (state.noise !== "given") {
    at("p-K-where").textContent = "";
    at("p-eta-where").textContent = `asymmetric for ${inWords("η", rates(state.loss, state.parameters, state.noise, state.K), OPEN.eta)}`;
  }
  const verdict = found.holds === null ? "undecided here" : found.holds ? "asymmetric" : "not asymmetric";
  at("threshold").textContent = answer || (found.holds ? "always" : found.holds === false ? "never" : "undecided");
  at("threshold-of").textContent = main ? `makes ${title} asymmetric here` : `${title} has no parameter that moves this`;
  at("verdict").textContent = `As set: ${verdict}`;
  at("verdict").dataset.holds = found.holds;
  at("because").textContent = because(found) + (normalised.length ? ` ${normalised.join(" and ")} is least in the limit at the same point and changes nothing.` : "");
  at("formula").innerHTML = `${title}: ${formula}` + ( // set by the package: indices and powers
    fixed.length ? ` (${fixed.map(symbol).join(" and ")} do not move the threshold)` : "");
  const [curve, curves] = drawProfile(loss);
  at("profile").replaceChildren(curve);
  at("profile-key").replaceChildren(...curves.map(({side, text}) => element("span", {class: `key ${side}`}, text)));
  at("profile-note").textContent = normalised.length ? `without ${normalised.join(" and ")}, up to a constant` : "up to a constant";
  at("minimiser").replaceChildren(drawMinimiser(row, point, state.noise === "given" ? GIVEN.names : null));
  at("point").textContent = point === null ? `No exact minimiser: ${why}. The command below searches for it.`
    : pointInWords(row, point) + (unique ? "" : " (one of several)");
  at("command").replaceChildren(...command().flatMap(part => [element("span", {}, part), " "]));
}

function because({shape, dominant, atZero, atOne, holds, second}) {
  if (!dominant) return "The true class has not the unique largest weight, so no loss is tolerant.";
  if (second === 0) return "All other weights are 0.";
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
  const noise = state.noise === "given" ? [panel.dataset.given] : [`--noise ${state.noise}`, `--K ${state.K}`, `--eta ${state.eta}`];
  return ["asymtheory check", `--loss ${state.loss}`, ...(set.length ? [`--set ${set.join(" ")}`] : []), ...noise];
}

at("loss").append(...Object.entries(LOSSES).map(([name, {title}]) => element("option", {value: name}, title)));
at("noise").append(...Object.keys(NOISES).map(kind => element("option", {value: kind}, kind)));
if (GIVEN) at("noise").append(element("option", {value: "given"}, `${GIVEN.kind}, as above`));
at("loss").value = state.loss;
at("noise").value = state.noise;
at("rates").replaceChildren(
  control(OPEN.K, state.K, x => { state.K = x; later(); }), control(OPEN.eta, state.eta, x => { state.eta = x; later(); }));
at("loss").addEventListener("change", event => { state.loss = event.target.value; showControls(); later(); });
at("noise").addEventListener("change", event => { state.noise = event.target.value; showNoise(); later(); });
panel.addEventListener("submit", event => event.preventDefault());
showControls();
showNoise();
redraw();
