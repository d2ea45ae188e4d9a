// The dashboards of dashboards/json, as far as they go without Grafana: their rows, panels, variables and links.
// What is chosen stands in the address, so that a link leads to the same.

import { made, empty } from "./making.js";
import { choicesOf, period } from "./prometheus.js";
import { drawHeatmap } from "./heatmap.js";
import { drawSeries } from "./series.js";
import { drawTable } from "./rows.js";

const KINDS = { timeseries: drawSeries, heatmap: drawHeatmap, table: drawTable };
const RANGES = { "5m": 300, "10m": 600, "15m": 900, "30m": 1800, "1h": 3600, "3h": 10800, "7d": 604800 };
const FIRST = "scalpels-overview.json";
const EVERY = 10_000; // ms
const CELL = 30; // px, Grafana's
const GAP = 8;

const listed = await (await fetch("list.json")).json();
const boards = new Map();
let turn = 0;

function chosen() {
  return new URLSearchParams(location.hash.slice(1));
}

function address(changes) {
  const words = chosen();
  for (const [name, value] of Object.entries(changes)) words.set(name, value);
  return `#${words}`;
}

async function board() {
  const file = listed.find((one) => one.file === chosen().get("board"))?.file ?? FIRST;
  if (!boards.has(file)) boards.set(file, await (await fetch(file)).json());
  return [file, boards.get(file)];
}

function variables(page) {
  return page.templating.list.filter((one) => one.type === "query");
}

/** Name → what stands for it in a query: a literal as a regular expression, or the variable's "all". */
function choices(page) {
  return Object.fromEntries(
    variables(page).map((one) => {
      const value = chosen().get(one.name);
      return [one.name, value ? value.replace(/[.*+?^${}()|[\]\\]/g, "\\\\$&") : one.allValue];
    }),
  );
}

function choice(title, name, values, value) {
  const select = made("select", { name, onchange: () => (location.hash = address({ [name]: select.value })) });
  for (const [text, key] of values) select.append(made("option", { value: key, textContent: text, selected: key === value }));
  return made("label", {}, title, select);
}

async function offer(page, file, time) {
  const links = listed.map((one) => {
    const link = made("a", { href: address({ board: one.file }), textContent: one.title.replace("Scalpels / ", "") });
    if (one.file === file) link.setAttribute("aria-current", "page");
    return link;
  });
  document.querySelector("#boards").replaceChildren(...links);
  const form = document.querySelector("#choices");
  if (form.contains(document.activeElement)) return;
  const found = await Promise.all(variables(page).map((one) => choicesOf(one.query, time, choices(page))));
  form.replaceChildren(
    ...variables(page).map((one, n) =>
      choice(one.label, one.name, [["All", ""], ...found[n].map((text) => [text, text])], chosen().get(one.name) ?? ""),
    ),
    choice("Last", "range", Object.keys(RANGES).map((text) => [text, text]), chosen().get("range") ?? "15m"),
  );
}

function placeOf(panel) {
  const title = made("h3", {}, panel.title);
  if (panel.description) title.append(made("small", { title: panel.description, textContent: "i" }));
  const inside = made("div", { className: "inside" });
  const section = made("section", { id: `panel-${panel.id}` }, title, inside);
  section.style.gridColumn = `${panel.gridPos.x + 1} / span ${panel.gridPos.w}`;
  section.style.height = `${panel.gridPos.h * CELL + (panel.gridPos.h - 1) * GAP}px`;
  inside.style.cssText = "display:flex;flex-direction:column;flex:1 1 0;min-height:0";
  return section;
}

function lay(page) {
  const panels = document.querySelector("#panels");
  if (panels.dataset.title === page.title) return;
  panels.dataset.title = page.title;
  document.title = page.title;
  panels.replaceChildren(...page.panels.map((one) => (one.type === "row" ? made("h2", {}, one.title) : placeOf(one))));
}

function program(name) {
  return address({ board: "scalpels-program.json", program: name });
}

async function draw(panel, page, time) {
  const inside = document.querySelector(`#panel-${panel.id} .inside`);
  if (inside.matches(":hover")) return; // somebody reads there
  try {
    await KINDS[panel.type](panel, inside, time, choices(page), program);
  } catch (error) {
    empty(inside);
    inside.firstChild.textContent = error.message;
  }
}

async function show() {
  const mine = (turn += 1);
  const [file, page] = await board();
  const range = RANGES[chosen().get("range")] ?? RANGES["15m"];
  const time = period(range, document.querySelector("#panels").clientWidth / 2);
  lay(page);
  await offer(page, file, time);
  for (const panel of page.panels.filter((one) => one.type !== "row")) {
    if (mine !== turn) return;
    await draw(panel, page, time);
  }
  document.body.dataset.drawn = `${file} ${mine}`; // what a test and a camera wait for
}

addEventListener("hashchange", show);
addEventListener("resize", show);
setInterval(show, EVERY);
await show();
