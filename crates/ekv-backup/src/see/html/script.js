"use strict";
// Sorts and filters rows that are there; the page is whole without it.
document.querySelectorAll("table.rows").forEach(table => {
  const body = table.tBodies[0], rows = [...body.rows], heads = [...table.tHead.rows[0].cells];
  const value = (row, at) => {
    const cell = row.cells[at];
    return cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v);
  };
  const compare = (a, b) => typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  if (!table.classList.contains("tree")) heads.forEach((head, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") === "descending" || (at === 0 && !head.hasAttribute("aria-sort"));
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      rows.map((row, n) => [value(row, at), n, row])
        .sort((a, b) => (compare(a[0], b[0]) || a[1] - b[1]) * (up ? 1 : -1))
        .forEach(([, , row]) => body.append(row));
    });
  });
  if (rows.length < 15) return;
  const field = document.createElement("input");
  field.type = "search";
  field.className = "find";
  field.placeholder = "Filter rows";
  field.setAttribute("aria-label", "Filter rows: " + table.caption.textContent);
  field.addEventListener("input", () => {
    const word = field.value.toLowerCase();
    rows.forEach(row => { row.hidden = !row.cells[0].textContent.toLowerCase().includes(word); });
  });
  table.before(field);
});
