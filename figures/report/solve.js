// Solving. ATOMS (terms and slopes of every loss), LOSSES, NOISES, GIVEN and ROWS come before this, written from the package's
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
  })); // points come before the intervals that they end
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
  const snapped = x => (Number.isFinite(size) && Math.abs(x) <= TIE * size ? 0 : x); // what is left of a difference by rounding
  return {...facts, atZero: snapped(atZero), atOne: snapped(atOne), slack, holds: Number.isNaN(slack) ? null : tie || slack >= 0};
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
  const reach = (w, below, low = 0, high = 1) => { // the largest u in [low, high] with below(phi'(u))
    if (!below(slope(w, Math.max(low, 1e-300)))) return low;
    for (let i = 0; i < 70; i++) {
      const middle = (low + high) / 2;
      if (middle <= low || middle >= high) break;
      if (below(slope(w, middle))) low = middle; else high = middle;
    }
    return low;
  };
  const whole = u => u.reduce((s, x, i) => s + count[i] * x, 0);
  // some u_k > 0 is at least 1/K and some at most 1/K, so the multiplier lies among the slopes there
  const middle = levels.map(w => slope(w, 1 / K));
  let low = Math.min(...middle), high = Math.max(...middle);
  let less = levels.map(w => reach(w, s => s < low)), over = levels.map(w => reach(w, s => s < high));
  for (let i = 0; i < 100 && whole(over) - whole(less) > 1e-13; i++) { // u_k grows with lambda: what is found narrows the next search
    const lambda = (low + high) / 2;
    if (lambda <= low || lambda >= high) break;
    const u = levels.map((w, i) => reach(w, s => s < lambda, less[i], over[i]));
    if (whole(u) > 1) [high, over] = [lambda, u]; else [low, less] = [lambda, u];
  }
  // where phi_k' is flat at lambda (PHuber-CE) the minimiser is a set; the room is shared out in proportion
  const more = levels.map((w, i) => reach(w, s => s <= high, less[i]));
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
  let open = false; // a value that floating point cannot decide was met
  const holds = (x, strict) => {
    const loss = profile(name, {...parameters, [parameter]: x}, K);
    let all = true;
    for (const row of rows) {
      const {holds, slack} = decide(loss, row);
      if (holds === false || (strict && slack < 0)) return false; // no allowance for rounding while a root is sought
      if (holds === null) { all = null; open = true; }
    }
    return all;
  };
  if (facts.integer) return counts(facts, n => holds(n, false));
  const pieces = joined(facts.low, facts.high, facts.cuts, facts, x => holds(x, true), x => holds(x, false));
  return Object.assign(pieces, {open: open && !pieces.length});
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

/** Six digits; of a bound the last one is rounded inwards, so that what is printed works. */
function bound(x, up) {
  if (!Number.isFinite(x) || x === 0) return shown(x);
  const unit = 10 ** (Math.floor(Math.log10(Math.abs(x))) - 5), near = Math.round(x / unit) * unit;
  const exact = Math.abs(near - x) <= 1e-12 * Math.abs(x);
  return shown(exact ? near : (up ? Math.ceil(x / unit) : Math.floor(x / unit)) * unit);
}

const shown = x => (Number.isFinite(x) ? String(Number(x.toPrecision(6))) : x > 0 ? "∞" : "−∞").replace("-", "−");

/** Pieces in words: "a ≥ 9", "q ≤ 1 or 2 ≤ q ≤ 7.88"; the domain's own ends are left out. */
function inWords(name, pieces, {low, high, lowClosed, highClosed}) {
  if (!pieces.length) return pieces.open ? "undecided" : `no ${name}`;
  return pieces.map(([from, to, fromClosed, toClosed]) => {
    if (from === to && from !== null) return `${name} = ${shown(from)}`;
    const start = from === null || (from === low && fromClosed === lowClosed) ? null : from;
    const end = to === null || (to === high && toClosed === highClosed) ? null : to;
    if (start !== null && end !== null) return `${bound(start, true)} ${fromClosed ? "≤" : "<"} ${name} ${toClosed ? "≤" : "<"} ${bound(end, false)}`;
    if (start !== null) return `${name} ${fromClosed ? "≥" : ">"} ${bound(start, true)}`;
    if (end !== null) return `${name} ${toClosed ? "≤" : "<"} ${bound(end, false)}`;
    return `any ${name}`;
  }).join(" or ");
}

const GREEK = {alpha: "α", beta: "β", gamma: "γ", tau: "τ", eta: "η"};
const symbol = name => GREEK[name] ?? name;

