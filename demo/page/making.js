// Elements of the page, made without markup: what comes from a label is text and nothing else.

export function made(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

/** Rows of a table; `columns` are {title, number, cell(row)}, and a cell is a text or an element. */
export function table(columns, rows) {
  const kind = (column) => (column.number ? "number" : "");
  const head = made("tr", {}, ...columns.map((one) => made("th", { className: kind(one), textContent: one.title })));
  const body = rows.map((row) => made("tr", {}, ...columns.map((one) => made("td", { className: kind(one) }, one.cell(row)))));
  return made("table", {}, made("thead", {}, head), made("tbody", {}, ...body));
}

export function empty(place) {
  place.replaceChildren(made("div", { className: "empty", textContent: "No data" }));
}
