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

// ---- the ledger: its lines are data until the section is opened
const ledger = document.getElementById("ledger");
const node = (tag, attributes, html = "") => {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.innerHTML = html; // written and escaped by the package
  return made;
};

let claims = [];
function showLedger() {
  if (!ledger || claims.length) return;
  const papers = JSON.parse(document.getElementById("papers").textContent);
  const lines = JSON.parse(document.getElementById("ledger-data").textContent);
  const place = document.getElementById("claims");
  for (const paper of new Set(lines.map(line => line.paper))) {
    const section = node("section", {class: "paper", "data-paper": paper}, `<h3>${papers[paper]}</h3>`);
    for (const line of lines.filter(each => each.paper === paper)) section.append(claim(line));
    place.append(section);
  }
  claims = [...place.querySelectorAll("details.claim")];
  const by = id => document.getElementById(id), unfold = by("unfold"), shown = by("shown");
  const filter = () => {
    const text = by("by-text").value.trim().toLowerCase();
    let count = 0;
    for (const each of claims) {
      const {verdict, paper} = each.dataset;
      each.hidden = Boolean((by("by-verdict").value && verdict !== by("by-verdict").value) ||
        (by("by-paper").value && paper !== by("by-paper").value) || (text && !each.textContent.toLowerCase().includes(text)));
      count += !each.hidden;
    }
    for (const section of place.querySelectorAll("section.paper")) section.hidden = !section.querySelector("details:not([hidden])");
    shown.textContent = `${count} of ${shown.dataset.all} claims`;
  };
  by("by-verdict").value = by("by-paper").value = by("by-text").value = "";
  for (const id of ["by-verdict", "by-paper", "by-text"]) by(id).addEventListener("input", filter);
  unfold.addEventListener("click", () => {
    const open = unfold.getAttribute("aria-expanded") !== "true";
    unfold.setAttribute("aria-expanded", String(open));
    unfold.textContent = open ? "Fold all" : "Unfold all";
    for (const each of claims) each.open = open;
  });
  document.querySelector(".filters").hidden = false;
  filter();
}

function claim({id, paper, verdict, where, says, parts}) {
  const body = parts.map(([term, text]) => (term ? `<dt>${term}</dt>` : "") + `<dd>${text}</dd>`).join("");
  return node("details", {class: "claim", id, "data-verdict": verdict, "data-paper": paper},
    `<summary><span class="verdict" data-verdict="${verdict}">${verdict}</span> <span class="where">${where}</span> ` +
    `<span class="says">${says}</span> <code>${id}</code></summary><dl>${body}</dl>`);
}
ledger?.addEventListener("toggle", () => { if (ledger.open) showLedger(); });

// ---- the figures are compressed until their section is opened
const figures = document.getElementById("figures");
let unpacking = null;
const unpack = () => unpacking ??= (async () => {
  const packed = Uint8Array.from(atob(document.getElementById("gallery-data").textContent), letter => letter.charCodeAt(0));
  const html = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"))).text();
  document.getElementById("gallery").innerHTML = html; // written by the package
})();
figures?.addEventListener("toggle", () => { if (figures.open) unpack(); });

// ---- a link to a section or a claim opens it
function openTarget() {
  const id = decodeURIComponent(location.hash.slice(1));
  if (!id || id.startsWith("panel:")) return;
  if (!document.getElementById(id) && ledger) showLedger();
  const target = document.getElementById(id);
  for (let up = target; up; up = up.parentElement) if (up instanceof HTMLDetailsElement) up.open = true;
  if (target && target.closest("#claims")) target.scrollIntoView();
}
addEventListener("hashchange", openTarget);
openTarget();

// ---- on paper the fold of the box is open; what else is folded is left out
let folded = [];
function beforePrint() {
  folded = [...document.querySelectorAll(".box details:not([open])"), ...folded];
  for (const details of folded) details.open = true;
}
function afterPrint() {
  for (const details of folded) details.open = false;
  folded = [];
}
addEventListener("beforeprint", beforePrint);
addEventListener("afterprint", afterPrint);
matchMedia("print").addEventListener("change", event => (event.matches ? beforePrint() : afterPrint()));
