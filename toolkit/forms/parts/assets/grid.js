// One page of a table: rows to read, sort, tick and open. All of it is text.

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function render({ model, el }) {
  el.classList.add("tk-grid");
  const scroll = element("div", "tk-grid-scroll");
  const table = element("table", "tk-grid-table");
  const foot = element("div", "tk-grid-foot");
  scroll.append(table);
  table.setAttribute("data-tk-own-keys", "");
  el.append(scroll, foot);
  let focusRow = null;

  const selected = () => new Set(model.get("selected"));

  function tick(ids, on) {
    const now = selected();
    for (const id of ids) on ? now.add(id) : now.delete(id);
    model.set("selected", [...now]);
    model.save_changes();
  }

  function head() {
    const thead = element("thead");
    const line = element("tr");
    if (model.get("selectable")) {
      const cell = element("th", "tk-grid-tick");
      const all = element("input");
      all.type = "checkbox";
      all.setAttribute("aria-label", "Select all rows of this page");
      const ids = model.get("rows").map((row) => row.id);
      const chosen = selected();
      const some = ids.filter((id) => chosen.has(id)).length;
      all.checked = ids.length > 0 && some === ids.length;
      all.indeterminate = some > 0 && some < ids.length;
      all.addEventListener("change", () => tick(ids, all.checked));
      cell.append(all);
      line.append(cell);
    }
    for (const column of model.get("columns")) {
      const cell = element("th", column.number ? "tk-grid-number" : "");
      cell.scope = "col";
      if (column.width) cell.style.width = column.width;
      if (column.sortable) {
        const [key, descending] = model.get("sort");
        const sorted = key === column.key;
        const button = element("button", "tk-grid-sort", column.label);
        button.type = "button";
        button.title = column.title || `Sort by ${column.label}`;
        if (sorted) button.append(element("span", "tk-grid-arrow", descending ? " ▼" : " ▲"));
        cell.setAttribute(
          "aria-sort",
          sorted ? (descending ? "descending" : "ascending") : "none",
        );
        button.addEventListener("click", () => model.send({ type: "sort", key: column.key }));
        cell.append(button);
      } else {
        cell.textContent = column.label;
        if (column.title) cell.title = column.title;
      }
      line.append(cell);
    }
    thead.append(line);
    return thead;
  }

  function body() {
    const tbody = element("tbody");
    const columns = model.get("columns");
    const chosen = selected();
    const opens = model.get("opens");
    for (const row of model.get("rows")) {
      const line = element("tr", row.kind ? `tk-grid-${row.kind}` : "");
      line.dataset.id = row.id;
      if (chosen.has(row.id)) line.classList.add("tk-grid-selected");
      if (opens) {
        line.tabIndex = 0;
        line.classList.add("tk-grid-opens");
        line.addEventListener("click", (event) => {
          if (event.target.closest("input, button")) return;
          if (String(window.getSelection()) !== "") return; // text is being copied
          focusRow = row.id;
          model.send({ type: "open", id: row.id });
        });
      }
      if (model.get("selectable")) {
        const cell = element("td", "tk-grid-tick");
        const box = element("input");
        box.type = "checkbox";
        box.checked = chosen.has(row.id);
        box.setAttribute("aria-label", `Select ${row.cells[0]}`);
        box.addEventListener("change", () => tick([row.id], box.checked));
        cell.append(box);
        line.append(cell);
      }
      row.cells.forEach((text, at) => {
        const column = columns[at] || {};
        const missing = text === null;
        const names = [column.number ? "tk-grid-number" : "", missing ? "tk-grid-missing" : ""];
        const cell = element("td", names.join(" ").trim(), missing ? "–" : text);
        if (!missing && text.length > 24) cell.title = text.slice(0, 1000);
        line.append(cell);
      });
      tbody.append(line);
    }
    if (!model.get("rows").length) {
      const line = element("tr");
      const cell = element("td", "tk-grid-empty", model.get("empty"));
      cell.colSpan = columns.length + (model.get("selectable") ? 1 : 0) || 1;
      line.append(cell);
      tbody.append(line);
    }
    return tbody;
  }

  function draw() {
    const active = document.activeElement;
    const had = el.contains(active) ? active.closest("tr")?.dataset.id : null;
    const left = scroll.scrollLeft;
    table.setAttribute("aria-label", model.get("label"));
    table.replaceChildren(head(), body());
    scroll.scrollLeft = left;
    const again = had ?? null;
    if (again !== null) {
      for (const line of table.querySelectorAll("tbody tr")) {
        if (line.dataset.id === again && line.tabIndex === 0) line.focus({ preventScroll: true });
      }
    }
    pages();
  }

  function pages() {
    const total = model.get("total");
    const size = model.get("page_size");
    const page = model.get("page");
    const last = Math.max(0, Math.ceil(total / size) - 1);
    const from = total ? page * size + 1 : 0;
    const to = Math.min(total, (page + 1) * size);
    const number = (value) => value.toLocaleString("en-US");
    foot.replaceChildren();
    if (total <= size && page === 0) {
      if (total) foot.append(element("span", "tk-grid-count", `${number(total)} ${model.get(total === 1 ? "noun" : "nouns")}`));
      return;
    }
    const go = (label, title, to, enabled) => {
      const button = element("button", "tk-grid-page", label);
      button.type = "button";
      button.title = title;
      button.setAttribute("aria-label", title);
      button.disabled = !enabled;
      button.addEventListener("click", () => model.send({ type: "page", page: to }));
      foot.append(button);
    };
    go("«", "First page", 0, page > 0);
    go("‹", "Previous page", page - 1, page > 0);
    const told = `${number(from)}–${number(to)} of ${number(total)} ${model.get("nouns")}`;
    foot.append(element("span", "tk-grid-count", told));
    go("›", "Next page", page + 1, page < last);
    go("»", "Last page", last, page < last);
  }

  table.addEventListener("keydown", (event) => {
    const line = event.target.closest("tbody tr");
    if (!line || event.target !== line) return;
    const rows = [...table.querySelectorAll("tbody tr")];
    const at = rows.indexOf(line);
    const move = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (move !== undefined && rows[move]) {
      rows[move].focus();
    } else if (event.key === "Enter") {
      model.send({ type: "open", id: line.dataset.id });
    } else if (event.key === " " && model.get("selectable")) {
      tick([line.dataset.id], !selected().has(line.dataset.id));
    } else if (event.key === "PageDown" || event.key === "PageUp") {
      const page = model.get("page") + (event.key === "PageDown" ? 1 : -1);
      if (page >= 0 && page * model.get("page_size") < model.get("total")) {
        model.send({ type: "page", page });
      }
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  });

  const parts = ["columns", "rows", "sort", "total", "page", "page_size", "selected", "empty"];
  // One redraw for however many traits changed together.
  let due = false;
  const later = () => {
    if (due) return;
    due = true;
    queueMicrotask(() => {
      due = false;
      draw();
    });
  };
  for (const part of parts) model.on(`change:${part}`, later);
  draw();
  return () => {
    for (const part of parts) model.off(`change:${part}`, later);
  };
}

export default { render };
