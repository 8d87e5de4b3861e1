// The page around the panel: theme, sortable tables, the ledger's filter, printing. Everything can be read without it.

const root = document.documentElement;

// ---- light and dark: as the system says, until the button is pressed
const theme = document.getElementById("theme");
const systemDark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (root.dataset.theme ?? (systemDark.matches ? "dark" : "light")) === "dark";
const showTheme = () => theme.setAttribute("aria-pressed", String(isDark()));
theme.hidden = false;
theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; showTheme(); });
systemDark.addEventListener("change", showTheme);
showTheme();

// ---- tables: a click on a heading sorts by it, another one the other way; rows without a value stay last
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...body.rows].map(row => ({row, key: keyOf(row.cells[column])}));
    const numbers = rows.every(({key}) => key === "" || !Number.isNaN(Number(key)));
    const compare = numbers ? (a, b) => Number(a) - Number(b) : (a, b) => a.localeCompare(b, "en", {numeric: true});
    rows.sort((a, b) => (a.key === "") - (b.key === "") || (down ? -1 : 1) * (a.key === "" ? 0 : compare(a.key, b.key)));
    body.append(...rows.map(({row}) => row));
  }));
}

function keyOf(cell) {
  return cell.dataset.key ?? cell.textContent.trim();
}

// ---- the ledger
const claims = [...document.querySelectorAll("details.claim")];
const byVerdict = document.getElementById("by-verdict"), byPaper = document.getElementById("by-paper");
const byCorrection = document.getElementById("by-correction"), shownClaims = document.getElementById("shown");
const unfold = document.getElementById("unfold");

function filter() {
  let count = 0;
  for (const claim of claims) {
    const {verdict, paper} = claim.dataset;
    claim.hidden = Boolean((byVerdict.value && verdict !== byVerdict.value) || (byPaper.value && paper !== byPaper.value) ||
      (byCorrection.checked && !claim.hasAttribute("data-corrected")));
    count += !claim.hidden;
  }
  for (const section of document.querySelectorAll("section.paper")) section.hidden = !section.querySelector("details:not([hidden])");
  shownClaims.textContent = `${count} of ${shownClaims.dataset.all} claims`;
}
for (const control of [byVerdict, byPaper, byCorrection]) control.addEventListener("change", filter);
unfold.addEventListener("click", () => {
  const open = unfold.getAttribute("aria-expanded") !== "true";
  unfold.setAttribute("aria-expanded", String(open));
  unfold.textContent = open ? "Fold all" : "Unfold all";
  for (const claim of claims) claim.open = open;
});
document.querySelector(".filters").hidden = false;
byVerdict.value = byPaper.value = "";
byCorrection.checked = false;
filter();

// ---- a link to a claim opens it
function openTarget() {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
}
addEventListener("hashchange", openTarget);
openTarget();

// ---- paper has no folds
let folded = [];
function beforePrint() {
  folded = [...document.querySelectorAll("details:not([open])"), ...folded];
  for (const details of folded) details.open = true;
}
function afterPrint() {
  for (const details of folded) details.open = false;
  folded = [];
}
addEventListener("beforeprint", beforePrint);
addEventListener("afterprint", afterPrint);
matchMedia("print").addEventListener("change", event => (event.matches ? beforePrint() : afterPrint()));
