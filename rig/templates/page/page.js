// Adds what a page can do without: rows by a word, tables by a column, and a link to what is shown. All text is there without it.
(() => {
  "use strict";
  const state = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
  const remember = (name, value) => {
    if (value) state.set(name, value); else state.delete(name);
    const view = state.toString();
    history.replaceState(null, "", view ? "#" + view : location.pathname + location.search);
  };
  for (const box of document.querySelectorAll("input[data-filters]")) {
    const name = box.dataset.filters;
    const section = document.getElementById(name);
    const rows = [...section.querySelectorAll("tbody > tr")].map((row) => {
      const group = row.closest("details.group");
      const before = group ? group.querySelector("summary").textContent : "";
      return { row, group, text: (before + " " + row.textContent).toLowerCase() };
    });
    const groups = new Set(rows.map((one) => one.group).filter(Boolean));
    const output = section.querySelector("output");
    const apply = () => {
      const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      const some = new Set();
      for (const one of rows) {
        const fits = words.every((word) => one.text.includes(word));
        one.row.hidden = !fits;
        if (fits) { shown += 1; some.add(one.group); }
      }
      for (const group of groups) {
        group.hidden = !some.has(group);
        if (words.length) group.open = some.has(group);
      }
      output.textContent = words.length ? shown + " of " + rows.length + " rows" : "";
      remember(name, box.value.trim());
    };
    box.closest(".filter").hidden = false;
    box.value = state.get(name) || "";
    box.addEventListener("input", apply);
    if (box.value) { apply(); section.scrollIntoView(); }
  }
  const number = (text) => {
    const found = text.replace(/,/g, "").match(/^[^0-9+-]*([+-]?[0-9.]+)/);
    return found ? Number(found[1]) : NaN;
  };
  for (const table of document.querySelectorAll("table[data-filter], table[data-sort]")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const body = table.tBodies[0];
        const key = (row) => row.cells[column]?.textContent ?? "";
        const sorted = [...body.rows].sort((a, b) => {
          const [x, y] = [key(a), key(b)];
          const [n, m] = [number(x), number(y)];
          const order = Number.isNaN(n) || Number.isNaN(m) ? x.localeCompare(y) : n - m;
          return up ? order : -order;
        });
        body.append(...sorted);
      });
    });
  }
  // What is printed, and what a link leads to, must be open.
  addEventListener("beforeprint", () => document.querySelectorAll(".check, .trial, #answer details").forEach((one) => { one.open = true; }));
  const openTarget = () => {
    const id = decodeURIComponent(location.hash.slice(1));
    const target = id && !id.includes("=") ? document.getElementById(id) : null;
    if (target instanceof HTMLDetailsElement) target.open = true;
  };
  addEventListener("hashchange", openTarget);
  openTarget();
})();
