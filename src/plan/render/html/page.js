"use strict";
// The matrix and the filters. Names and messages are read from the lists in the page and written as text only.
// A large matrix has a million cells, so only those in sight are elements.
(async () => {
  const $ = (id) => document.getElementById(id);
  const CELL = { width: 38, height: 28 };
  const HEAD = 140;
  const MARGIN = 3; // rows and columns that are drawn beyond those in sight

  const items = (section) => [...document.querySelectorAll(`#${section} tbody tr`)].map((row, index) => ({
    row, index, name: row.cells[0].textContent, text: row.textContent.toLowerCase(),
  }));
  const placements = items("placements");
  const datastores = items("datastores");
  // Where all are of one namespace, the matrix has more use for the room.
  const namespaces = new Set(placements.map(({ row }) => row.cells[0].firstChild.data));
  const label = ({ row, name }) => (row.classList.contains("refused") ? "✕ " : "")
    + (namespaces.size > 1 ? name : row.cells[0].querySelector("b").textContent);
  const view = { rows: placements, columns: datastores };
  let draw = () => {};

  // Filters, for the lists and the matrix alike.
  const filter = (all, words, only) => {
    const wanted = words.toLowerCase().trim();
    return all.filter((item) => {
      const fits = item.text.includes(wanted) && (!only || item.row.classList.contains(only));
      item.row.hidden = !fits;
      return fits;
    });
  };
  const apply = () => {
    view.rows = filter(placements, $("find-placement").value, $("only-refused").checked && "refused");
    view.columns = filter(datastores, $("find-datastore").value, $("only-changed").checked && "changed");
    $("shown").textContent = `${view.rows.length} of ${placements.length} placements, `
      + `${view.columns.length} of ${datastores.length} datastores`;
    draw(true);
  };
  $("filters").addEventListener("input", apply);
  $("filters").hidden = false;
  apply();

  if (!$("matrix")) return;

  // What the page carries packed.
  const unpack = async (id) => {
    const bytes = Uint8Array.from(atob($(id).textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };
  let words, packed;
  try {
    words = JSON.parse(new TextDecoder().decode(await unpack("matrix-words")));
    packed = await unpack("matrix-cells");
  } catch (error) {
    $("matrix-note").textContent = `The matrix cannot be read (${error.message}): a browser from 2023 or later `
      + "is needed. The messages below say most of it.";
    return;
  }
  let at = 0;
  const number = () => {
    for (let value = 0, shift = 0; ; shift += 7) {
      const byte = packed[at++];
      value += (byte & 0x7f) * 2 ** shift;
      if (!(byte >= 0x80)) return value;
    }
  };
  const SETS = 3, RANKS = SETS + words.sets.length;
  const cells = new Uint32Array(placements.length * datastores.length);
  for (let i = 0; i < cells.length; i++) cells[i] = number();
  const details = new Map();
  for (let i = 0; i < cells.length && at < packed.length; i++) {
    if (cells[i] >= SETS && cells[i] < RANKS) {
      const detail = number();
      if (detail > 0) details.set(i, words.details[detail - 1]);
    }
  }
  const codes = [...document.querySelectorAll("#codes li")].map((item) => ({
    short: item.children[0].textContent, word: item.children[1].textContent, meaning: item.children[2].textContent,
  }));

  /** What a cell says: its class, its sign, and in words. */
  const verdict = (place) => {
    const value = cells[place];
    if (value === 0) return { kind: "elsewhere", sign: "·", words: "another vCenter's", codes: [] };
    if (value === 1) return { kind: "elsewhere", sign: "?", words: "not evaluated", codes: [] };
    if (value === 2) return { kind: "eligible", sign: "•", words: "eligible", codes: [] };
    if (value === RANKS) return { kind: "selected", sign: "✓", words: "selected", codes: [] };
    if (value > RANKS) {
      const rank = value - RANKS + 1;
      return { kind: "eligible", sign: String(rank), words: `eligible, rank ${rank}`, codes: [] };
    }
    const reasons = words.sets[value - SETS].map((code) => codes[code]);
    const kind = reasons.length > 1 ? "several" : "one";
    const sign = (reasons[0]?.short ?? "") + (reasons.length > 1 ? "+" : "");
    return { kind, sign, words: `refused: ${reasons.map((code) => code.word).join(", ")}`, codes: reasons };
  };
  const placeOf = (placement, datastore) => placement.index * datastores.length + datastore.index;

  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const cellOf = (role, className, column, properties) => {
    const element = make("div", { role, className, ...properties });
    element.ariaColIndex = column + 2;
    if (column >= 0) element.style.left = `${nameWidth() + column * CELL.width}px`;
    return element;
  };

  // The grid. Rows and cells in sight are kept by their places; the current one stays wherever it is.
  const grid = $("grid");
  const current = { row: 0, column: 0 };
  const drawn = new Map();
  let space, head;
  const longest = Math.max(0, ...placements.map((placement) => label(placement).length));
  const nameWidth = () => Math.max(90, Math.min(24 + longest * 8, window.innerWidth < 700 ? 130 : 240));
  const sight = (from, length, size, count, keep) => {
    const first = Math.max(0, Math.floor(from / size) - MARGIN);
    const last = Math.min(count - 1, Math.ceil((from + length) / size) + MARGIN);
    const places = keep < Math.min(first, count) ? [keep] : [];
    for (let place = first; place <= last; place++) places.push(place);
    if (keep > last && keep < count) places.push(keep);
    return places;
  };

  const reset = () => {
    drawn.clear();
    current.row = Math.max(0, Math.min(current.row, view.rows.length - 1));
    current.column = Math.max(0, Math.min(current.column, view.columns.length - 1));
    grid.ariaRowCount = view.rows.length + 1;
    grid.ariaColCount = view.columns.length + 1;
    head = make("div", { role: "row", className: "row head" });
    head.ariaRowIndex = 1;
    const corner = cellOf("columnheader", "corner", -1, { textContent: "Placement" });
    corner.style.width = `${nameWidth()}px`;
    head.append(corner);
    space = make("div", { role: "rowgroup", className: "space" }, head);
    head.style.width = space.style.width = `${nameWidth() + view.columns.length * CELL.width}px`;
    space.style.height = `${HEAD + view.rows.length * CELL.height}px`;
    grid.replaceChildren(space);
  };

  const makeRow = (place) => {
    const placement = view.rows[place];
    const refused = placement.row.classList.contains("refused") ? " refused" : "";
    const name = cellOf("rowheader", `name${refused}`, -1, { textContent: label(placement), title: placement.name });
    name.style.width = `${nameWidth()}px`;
    const row = make("div", { role: "row", className: "row" }, name);
    row.ariaRowIndex = place + 2;
    row.style.top = `${HEAD + place * CELL.height}px`;
    row.style.width = space.style.width;
    return row;
  };
  const makeCell = (row, column) => {
    const found = verdict(placeOf(view.rows[row], view.columns[column]));
    const cell = cellOf("gridcell", `cell ${found.kind}`, column, { textContent: found.sign, tabIndex: -1 });
    cell.ariaLabel = `${view.columns[column].name}: ${found.words}`;
    Object.assign(cell.dataset, { row, column });
    return cell;
  };
  const makeColumn = (column) => {
    const { name } = view.columns[column];
    return cellOf("columnheader", "column", column, { textContent: name, title: name });
  };

  draw = (all) => {
    const focused = all && grid.contains(document.activeElement);
    if (all) reset();
    const columns = sight(grid.scrollLeft, grid.clientWidth - nameWidth(), CELL.width, view.columns.length, current.column);
    const rows = sight(grid.scrollTop, grid.clientHeight - HEAD, CELL.height, view.rows.length, current.row);
    const wanted = new Set(columns.map((column) => `head ${column}`));
    for (const row of rows) {
      wanted.add(`row ${row}`);
      for (const column of columns) wanted.add(`${row} ${column}`);
    }
    for (const [key, element] of drawn) {
      if (!wanted.has(key)) {
        element.remove();
        drawn.delete(key);
      }
    }
    // What stays is not touched, so that it keeps the focus; what is new goes to its place among it.
    const after = (sibling) => (key, create) => {
      const element = drawn.get(key) ?? create();
      if (!drawn.has(key)) sibling.after(element);
      drawn.set(key, element);
      return sibling = element;
    };
    const headers = after(head.firstChild), lines = after(head);
    for (const column of columns) headers(`head ${column}`, () => makeColumn(column));
    for (const row of rows) {
      const line = after(lines(`row ${row}`, () => makeRow(row)).firstChild);
      for (const column of columns) line(`${row} ${column}`, () => makeCell(row, column));
    }
    mark();
    if (focused) drawn.get(`${current.row} ${current.column}`)?.focus({ preventScroll: true });
    if (all) show();
  };
  const mark = () => {
    for (const element of grid.querySelectorAll(".current, .cross")) {
      element.classList.remove("current", "cross");
      if (element.tabIndex === 0) element.tabIndex = -1;
    }
    const cell = drawn.get(`${current.row} ${current.column}`);
    if (!cell) return;
    cell.tabIndex = 0;
    cell.classList.add("current");
    drawn.get(`head ${current.column}`)?.classList.add("cross");
    drawn.get(`row ${current.row}`)?.firstChild.classList.add("cross");
  };

  const show = () => {
    const placement = view.rows[current.row], datastore = view.columns[current.column];
    if (!placement || !datastore) return $("detail").replaceChildren("Nothing fits the filters.");
    const place = placeOf(placement, datastore);
    const found = verdict(place);
    const lines = (details.get(place) ?? "").split("\n").filter(Boolean);
    const reasons = found.codes.map((code, i) => make("li", {},
      make("strong", { textContent: code.word }), lines[i] ?? code.meaning));
    const more = lines.slice(found.codes.length).map((line) => make("li", { textContent: line }));
    const sign = make("b", { className: `sign ${found.kind}`, textContent: found.sign });
    const heads = [...document.querySelectorAll("#datastores thead th")];
    const figures = make("dl", {}, ...[1, 2, 4, 5, 6, 7, 8].flatMap((column) => [
      make("dt", { textContent: heads[column].textContent }),
      make("dd", { textContent: datastore.row.cells[column].textContent || "–" }),
    ]));
    const message = `${placement.row.cells[2].lastChild.data.trim()}: ${placement.row.cells[3].textContent}`;
    const close = make("button", { type: "button", textContent: "Close" });
    close.addEventListener("click", () => $("board").classList.remove("chosen"));
    $("detail").replaceChildren(
      close,
      make("h3", {}, placement.name, make("span", { className: "muted", textContent: " on " }), datastore.name),
      make("p", {}, sign, `${found.codes.length ? "refused" : found.words}`),
      make("ul", {}, ...reasons, ...more),
      figures,
      make("p", { className: "muted", textContent: message }),
    );
  };

  /** The column of the selected datastore, or the present one. */
  const selected = (row) => {
    const column = view.columns.findIndex((datastore) => cells[placeOf(view.rows[row], datastore)] === RANKS);
    return column < 0 ? current.column : column;
  };
  const go = (row, column) => {
    current.row = Math.max(0, Math.min(row, view.rows.length - 1));
    current.column = Math.max(0, Math.min(column, view.columns.length - 1));
    const top = current.row * CELL.height, left = current.column * CELL.width;
    const height = grid.clientHeight - HEAD, width = grid.clientWidth - nameWidth();
    if (top < grid.scrollTop) grid.scrollTop = top;
    if (top + CELL.height > grid.scrollTop + height) grid.scrollTop = top + CELL.height - height;
    if (left < grid.scrollLeft) grid.scrollLeft = left;
    if (left + CELL.width > grid.scrollLeft + width) grid.scrollLeft = left + CELL.width - width;
    draw();
    drawn.get(`${current.row} ${current.column}`)?.focus({ preventScroll: true });
    show();
  };
  grid.addEventListener("keydown", (event) => {
    if (event.altKey || event.metaKey) return;
    const { row, column } = current;
    const page = Math.max(1, Math.floor((grid.clientHeight - HEAD) / CELL.height) - 1);
    const [lastRow, lastColumn] = [view.rows.length - 1, view.columns.length - 1];
    const to = {
      ArrowUp: [row - 1, column], ArrowDown: [row + 1, column], ArrowLeft: [row, column - 1],
      ArrowRight: [row, column + 1], PageUp: [row - page, column], PageDown: [row + page, column],
      Enter: [row, selected(row)], Home: [event.ctrlKey ? 0 : row, 0], End: [event.ctrlKey ? lastRow : row, lastColumn],
    }[event.key];
    if (!to) return;
    event.preventDefault();
    go(...to);
  });
  grid.addEventListener("click", (event) => {
    const cell = event.target.closest(".cell"), name = event.target.closest(".name");
    if (cell) go(Number(cell.dataset.row), Number(cell.dataset.column));
    if (name) go(name.parentElement.ariaRowIndex - 2, selected(name.parentElement.ariaRowIndex - 2));
  });
  grid.addEventListener("focusin", () => {
    $("board").classList.add("chosen");
    show();
  });
  let due = false;
  grid.addEventListener("scroll", () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => { due = false; draw(); });
  }, { passive: true });
  $("board").hidden = $("legend").hidden = false;
  $("matrix-note").remove();
  draw(true);
  new ResizeObserver(() => draw(true)).observe(grid);
})();
