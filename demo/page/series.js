// Time series with uPlot: lines, bars, stacks, a legend that is a table, and what lies under the pointer.

import { made, table, empty } from "./making.js";
import { moments, named, overTime, filled } from "./prometheus.js";
import { writer } from "./units.js";

// Grafana's classic palette.
const COLOURS =
  "#7EB26D #EAB839 #6ED0E0 #EF843C #E24D42 #1F78C1 #BA43A9 #705DA0 #508642 #CCA300 #447EBC #C15C17 #890F02 #0A437C #6D1F62 #584477 #B7DBAB #F4D598 #70DBED #F9BA8F #F29191 #82B5D8 #E5A8E2 #AEA2E0 #629E51 #E5AC0E #64B0C8 #E0752D #BF1B00 #0A50A1 #962D82 #614D93".split(
    " ",
  );
const QUIET = "#9d9fa9";
const GRID = "rgba(204, 204, 220, 0.08)";
const SYNC = "all";
const BINARY = ["bytes", "binBps"];
const POWERS = Array.from({ length: 50 }, (_, n) => 2 ** n); // where their axes are marked
const MOST_IN_TIP = 12;

export async function drawSeries(panel, place, time, choices) {
  const answers = await Promise.all(panel.targets.map((one) => overTime(filled(one.expr, time, choices), time)));
  const lines = answers
    .flatMap((found, n) => found.map((one) => ({ ...one, name: named(panel.targets[n].legendFormat ?? "", one.labels) })))
    .filter((one) => one.values.some((value) => value !== null))
    .sort((one, other) => one.name.localeCompare(other.name));
  if (!lines.length) return empty(place);
  lines.forEach((one, n) => {
    one.colour = COLOURS[n % COLOURS.length];
    const there = one.values.filter((value) => value !== null);
    one.mean = there.reduce((sum, value) => sum + value, 0) / there.length;
    one.max = Math.max(...there);
    one.last = there.at(-1);
  });
  const write = writer(panel.fieldConfig.defaults.unit);
  const drawn = made("div", { className: "drawn" });
  place.replaceChildren(drawn, legend(lines, write));
  plot(panel, drawn, lines, moments(time), write);
}

function legend(lines, write) {
  const swatch = (one) => {
    const mark = made("span", { className: "swatch" });
    mark.style.background = one.colour;
    return made("span", {}, mark, one.name);
  };
  const rows = [...lines].sort((one, other) => other.max - one.max);
  const columns = ["Mean", "Max", "Last *"].map((title, n) => ({
    title,
    number: true,
    cell: (one) => write([one.mean, one.max, one.last][n]),
  }));
  return made("div", { className: "legend" }, table([{ title: "Name", cell: swatch }, ...columns], rows));
}

function stacked(lines) {
  const sums = lines[0].values.map(() => 0);
  return lines.map((one) => one.values.map((value, n) => (value === null ? null : (sums[n] += value))));
}

function plot(panel, drawn, lines, times, write) {
  const custom = panel.fieldConfig.defaults.custom ?? {};
  const isStack = custom.stacking?.mode === "normal";
  const bars = custom.drawStyle === "bars" ? uPlot.paths.bars({ size: [0.8, 40] }) : undefined;
  const values = isStack ? stacked(lines) : lines.map((one) => one.values);
  const top = Math.max(...values.flat().filter((value) => value !== null));
  const low = panel.fieldConfig.defaults.min ?? Math.min(...values.flat().filter((value) => value !== null));
  const fill = Math.round(((custom.fillOpacity ?? 0) / 100) * 255).toString(16).padStart(2, "0");
  const shown = lines.map((one) => ({
    stroke: one.colour,
    fill: one.colour + fill,
    width: custom.lineWidth ?? 1,
    points: { show: false },
    paths: bars,
  }));
  // A stack is drawn from its top, so that each covers what is above it no more than its own height.
  const order = isStack ? lines.map((_, n) => lines.length - 1 - n) : lines.map((_, n) => n);
  new uPlot(
    {
      width: drawn.clientWidth,
      height: drawn.clientHeight,
      legend: { show: false },
      cursor: { sync: { key: SYNC }, points: { show: false }, drag: { x: false, y: false } },
      scales: { x: { range: [times[0], times.at(-1)] }, y: { range: [low, top > low ? low + (top - low) * 1.05 : low + 1] } },
      axes: [
        { stroke: QUIET, grid: { stroke: GRID, width: 1 }, ticks: { show: false }, size: 24, space: 70, values: clock },
        {
          stroke: QUIET,
          grid: { stroke: GRID, width: 1 },
          ticks: { show: false },
          ...(BINARY.includes(panel.fieldConfig.defaults.unit) && { incrs: POWERS }),
          size: (_, texts) => 16 + 6.6 * Math.max(4, ...(texts ?? [""]).map((text) => text.length)),
          values: (_, ticks) => ticks.map(write),
        },
      ],
      series: [{}, ...order.map((n) => shown[n])],
      hooks: { setCursor: [tip(drawn, lines, write)] },
    },
    [times, ...order.map((n) => values[n])],
    drawn,
  );
}

export function clock(_, ticks) {
  const long = ticks.at(-1) - ticks[0] > 86400;
  const seconds = ticks.length > 1 && ticks[1] - ticks[0] < 60;
  const form = { hour: "2-digit", minute: "2-digit", hour12: false, ...(seconds && { second: "2-digit" }) };
  const written = new Intl.DateTimeFormat("en-GB", long ? { month: "2-digit", day: "2-digit", ...form } : form);
  return ticks.map((one) => written.format(one * 1000));
}

function tip(drawn, lines, write) {
  const box = made("div", { className: "tip" });
  drawn.append(box);
  return (chart) => {
    const n = chart.cursor.idx;
    const isHere = drawn.matches(":hover") && n !== null && n !== undefined;
    box.style.display = isHere ? "block" : "none";
    if (!isHere) return;
    const there = lines.filter((one) => one.values[n] !== null).sort((one, other) => other.values[n] - one.values[n]);
    const rows = there.slice(0, MOST_IN_TIP).map((one) => {
      const mark = made("span", { className: "swatch" });
      mark.style.background = one.colour;
      return made("div", {}, mark, `${one.name}  ${write(one.values[n])}`);
    });
    box.replaceChildren(made("div", { textContent: new Date(chart.data[0][n] * 1000).toLocaleTimeString() }), ...rows);
    const left = chart.cursor.left > chart.width / 2;
    box.style.left = left ? "" : `${chart.cursor.left + 80}px`;
    box.style.right = left ? `${chart.width - chart.cursor.left - 40}px` : "";
    box.style.top = "8px";
  };
}
