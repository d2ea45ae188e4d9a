// Tables: the answers of all targets side by side, a row for each set of labels, the greatest first value first.

import { made, table, empty } from "./making.js";
import { atOnce, filled } from "./prometheus.js";
import { writer } from "./units.js";

const HIDDEN = ["__name__"];

export async function drawTable(panel, place, time, choices, toProgram) {
  const answers = await Promise.all(panel.targets.map((one) => atOnce(filled(one.expr, time, choices), time)));
  const titles = panel.targets.map((one) => titleOf(panel, one.refId));
  const rows = new Map();
  answers.forEach((found, n) => {
    for (const one of found) {
      const labels = Object.fromEntries(Object.entries(one.metric).filter(([name]) => !HIDDEN.includes(name)));
      const key = JSON.stringify(Object.entries(labels).sort());
      if (!rows.has(key)) rows.set(key, { labels, values: {} });
      rows.get(key).values[titles[n]] = Number(one.value[1]);
    }
  });
  if (!rows.size) return empty(place);
  const first = titles[0];
  const shown = [...rows.values()].sort((one, other) => number(other.values[first]) - number(one.values[first]));
  const names = [...new Set(shown.flatMap((one) => Object.keys(one.labels)))];
  const columns = [
    ...names.map((name) => ({ title: name, cell: (row) => label(name, row.labels[name] ?? "", toProgram) })),
    ...titles.map((title) => {
      const write = writer(unitOf(panel, title));
      return { title, number: true, cell: (row) => (Number.isFinite(row.values[title]) ? write(row.values[title]) : "") };
    }),
  ];
  place.replaceChildren(made("div", { className: "rows" }, table(columns, shown.slice(0, limit(panel)))));
}

function number(value) {
  return Number.isFinite(value) ? value : -Infinity;
}

function label(name, text, toProgram) {
  return name === "program" && text ? made("a", { href: toProgram(text), textContent: text }) : text;
}

function transformation(panel, id) {
  return panel.transformations.find((one) => one.id === id)?.options ?? {};
}

function titleOf(panel, letter) {
  const renamed = transformation(panel, "organize").renameByName ?? {};
  return renamed[panel.targets.length > 1 ? `Value #${letter}` : "Value"] ?? "Value";
}

function limit(panel) {
  return transformation(panel, "limit").limitField ?? Infinity;
}

function unitOf(panel, title) {
  const override = panel.fieldConfig.overrides.find((one) => one.matcher.options === title);
  return override?.properties.find((one) => one.id === "unit")?.value ?? panel.fieldConfig.defaults.unit;
}
