// The two layers of canvas below the triangle's handle: shades of the risk with contours, and the flow of gradient descent. All that
// a frame needs of the loss is in tables, F(u) = phi_1(u_1) + phi_2(u_2) + phi_3(u_3); they are made when the loss changes.

const SIDE = 320, HIGH = SIDE * Math.sqrt(3) / 2, PAD = 26, BANDS = 14;
const field = document.getElementById("field"), flow = document.getElementById("flow");
const dark = matchMedia("(prefers-color-scheme: dark)");

/** Corners in units of the drawing: e_1 at the top, e_2 left, e_3 right. */
const CORNERS = [[PAD + SIDE / 2, PAD], [PAD, PAD + HIGH], [PAD + SIDE, PAD + HIGH]];
const placeX = u => u[0] * CORNERS[0][0] + u[1] * CORNERS[1][0] + u[2] * CORNERS[2][0];
const placeY = u => u[0] * CORNERS[0][1] + u[1] * CORNERS[1][1] + u[2] * CORNERS[2][1];

const FINE = 1.5;               // pixels of the field a unit
const CELLS = 2 * SIDE * FINE;  // of a table: a pixel moves u_2 and u_3 by two cells
const WIDE = Math.round((SIDE + 2 * PAD) * FINE), TALL = Math.round((HIGH + 2 * PAD) * FINE);
const LATTICE = 60;             // of the points whose values say where the bands end

/** The rows of pixels that cross the triangle: u_1 in cells, first pixel, their number, u_2 and u_3 in cells at the first one. */
const PIXELS = Array.from({length: TALL}, (_, j) => {
  const top = 1 - (j / FINE - PAD) / HIGH;
  if (top < 0 || top > 1) return null;
  const first = Math.ceil((PAD + SIDE * top / 2) * FINE), right = (first / FINE - PAD) / SIDE - top / 2;
  const one = top * CELLS, three = Math.max(0, right * CELLS), two = CELLS - one - three;
  return {j, one, first, count: Math.floor(two / 2) + 1, two, three};
}).filter(row => row !== null && row.two >= 0);

/** Values of the loss in a table: what its own class and every other one add. One more cell than there is spares a question. */
function tabled(loss) {
  const values = side => Float64Array.from({length: CELLS + 2}, (_, i) => loss.value[side](Math.min(CELLS, Math.max(i, 0.1)) / CELLS));
  return {active: values("active"), passive: values("passive")};
}

const picture = new ImageData(WIDE, TALL), pixels = new Uint32Array(picture.data.buffer);
const phi = [0, 1, 2].map(() => new Float64Array(CELLS + 2)), above = new Int8Array(WIDE);
const sample = new Float64Array((LATTICE + 1) * (LATTICE + 2) / 2), cuts = new Float64Array(BANDS);

function look(table, cell) {
  const i = Math.floor(cell);
  return table[i] + (cell - i) * (table[i + 1] - table[i]);
}

/** Shades of the risk in bands, from its least value (dark) up; bands are of equal shares of the area, with lines between them. */
function shade({active, passive}, weights) {
  weights.forEach((w, k) => { for (let i = 0; i <= CELLS + 1; i++) phi[k][i] = w * active[i] + (1 - w) * passive[i]; });
  const [one, two, three] = phi, step = CELLS / LATTICE, {bands, line} = palette();
  let at = 0;
  for (let i = 0; i <= LATTICE; i++) for (let j = 0; j <= LATTICE - i; j++) sample[at++] = one[i * step] + two[j * step] + three[(LATTICE - i - j) * step];
  sample.sort();
  for (let k = 1; k < BANDS; k++) cuts[k - 1] = sample[Math.floor(sample.length * k / BANDS)];
  cuts[BANDS - 1] = Infinity;
  above.fill(-1);
  for (const {j, one: cell, first, count, two: left, three: right} of PIXELS) {
    const start = j * WIDE + first, base = look(one, cell), l = Math.floor(left), r = Math.floor(right), more = left - l, rest = right - r;
    let band = 0, before = -1;
    for (let i = 0; i < count; i++) {
      const here = l - 2 * i, there = r + 2 * i; // in between by straight lines, as `look` does: a row has the same shares all along
      const value = base + two[here] + more * (two[here + 1] - two[here]) + three[there] + rest * (three[there + 1] - three[there]);
      while (value > cuts[band]) band++;
      while (band && value <= cuts[band - 1]) band--; // next to the pixel before: a step or none
      const over = above[first + i];
      pixels[start + i] = (before >= 0 && before !== band) || (over >= 0 && over !== band) ? line : bands[band];
      above[first + i] = before = band;
    }
  }
  if (field.width !== WIDE) { field.width = WIDE; field.height = TALL; }
  field.getContext("2d").putImageData(picture, 0, 0);
}

const isDarkPage = () => (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
const PALETTES = [false, true].map(isDark => {
  const [from, to] = isDark ? [[43, 92, 140], [26, 28, 31]] : [[120, 168, 216], [246, 247, 249]];
  const pack = ([r, g, b]) => (255 << 24 | Math.round(b) << 16 | Math.round(g) << 8 | Math.round(r)) >>> 0;
  const mix = t => from.map((x, i) => x + (to[i] - x) * t);
  return {bands: Array.from({length: BANDS}, (_, k) => pack(mix(k / (BANDS - 1)))), line: pack(isDark ? [96, 104, 112] : [160, 170, 180]),
    ink: isDark ? "#e8e8e8" : "#1b1d1f"};
});
/** Colours of the bands as 32-bit numbers, for light and dark pages. */
const palette = () => PALETTES[Number(isDarkPage())];

const STARTS = 9, STEPS = 90, SHARP = 2; // SHARP: pixels of the flow a unit

/** Gradient descent on softmax logits, dz/dt = -dF/dz, from a ring of starts. */
function drawFlow(loss, weights) {
  const [wide, high] = [Math.round((SIDE + 2 * PAD) * SHARP), Math.round((HIGH + 2 * PAD) * SHARP)];
  if (flow.width !== wide) { flow.width = wide; flow.height = high; }
  const pen = flow.getContext("2d"), {active, passive} = loss.slope;
  pen.clearRect(0, 0, wide, high);
  pen.beginPath();
  const z = [0, 0, 0], u = [0, 0, 0], g = [0, 0, 0];
  for (let start = 0; start < STARTS; start++) {
    for (let k = 0; k < 3; k++) z[k] = 2.6 * Math.cos(2 * Math.PI * start / STARTS + 0.2 + 2.0944 * k);
    for (let step = 0; step < STEPS; step++) {
      for (let k = 0; k < 3; k++) u[k] = Math.exp(z[k]);
      const total = u[0] + u[1] + u[2];
      let mean = 0;
      for (let k = 0; k < 3; k++) {
        u[k] /= total;
        const at = Math.max(u[k], 1e-9), slope = mixed(weights[k], active(at), passive(at));
        g[k] = Number.isFinite(slope) ? slope : 0;
        mean += u[k] * g[k];
      }
      if (step) pen.lineTo(SHARP * placeX(u), SHARP * placeY(u)); else pen.moveTo(SHARP * placeX(u), SHARP * placeY(u));
      for (let k = 0; k < 3; k++) g[k] = -u[k] * (g[k] - mean);
      const size = Math.sqrt(g[0] * g[0] + g[1] * g[1] + g[2] * g[2]);
      if (size < 1e-7 || Math.max(...u) > 1 - 1e-4) break; // arrived: what is left is less than a pixel
      for (let k = 0; k < 3; k++) z[k] = Math.max(-30, Math.min(30, z[k] + 0.18 * g[k] / Math.max(size, 0.02)));
    }
  }
  pen.strokeStyle = palette().ink;
  pen.globalAlpha = 0.75;
  pen.lineWidth = 0.9 * SHARP;
  pen.stroke();
}
