// Heatmaps of classic buckets, drawn inside uPlot's axes: a row for each bucket, a column for each step of time.

import { made, empty } from "./making.js";
import { moments, overTime, filled } from "./prometheus.js";
import { writer } from "./units.js";
import { clock } from "./series.js";

// d3's Spectral from its cold end, which is how Grafana shows diverging schemes.
const SPECTRAL = ["#5e4fa2", "#3288bd", "#66c2a5", "#abdda4", "#e6f598", "#ffffbf", "#fee08b", "#fdae61", "#f46d43", "#d53e4f", "#9e0142"];
const QUIET = "#9d9fa9";

export async function drawHeatmap(panel, place, time, choices) {
  const found = await overTime(filled(panel.targets[0].expr, time, choices), time);
  const bounds = found.filter((one) => one.labels.le).sort((one, other) => bound(one) - bound(other));
  const rows = bounds.map((one, n) => ({ bound: bound(one), values: one.values.map((value, t) => alone(bounds, value, n, t)) }));
  const most = Math.max(0, ...rows.flatMap((one) => one.values));
  if (!most) return empty(place);
  const drawn = made("div", { className: "drawn" });
  place.replaceChildren(drawn, scale(most, writer(panel.options.cellValues?.unit)));
  plot(panel, drawn, rows, moments(time), time.step, most);
}

function bound(one) {
  return one.labels.le === "+Inf" ? Infinity : Number(one.labels.le);
}

/** Buckets are cumulative; what is in this one is what the one below has not. */
function alone(bounds, value, n, t) {
  return Math.max(0, (value ?? 0) - (n ? (bounds[n - 1].values[t] ?? 0) : 0));
}

function colour(panel, share) {
  const place = Math.pow(share, panel.options.color.exponent) * (SPECTRAL.length - 1);
  const low = Math.min(SPECTRAL.length - 2, Math.floor(place));
  const part = (text, at) => parseInt(text.slice(at, at + 2), 16);
  const mixed = [1, 3, 5].map((at) => {
    const from = part(SPECTRAL[low], at);
    return Math.round(from + (part(SPECTRAL[low + 1], at) - from) * (place - low));
  });
  return `rgb(${mixed.join(",")})`;
}

function plot(panel, drawn, rows, times, step, most) {
  const write = writer(panel.options.yAxis.unit);
  const every = Math.ceil(rows.length / 8);
  const marks = rows.map((_, n) => n + 1).filter((n) => n % every === 0 && Number.isFinite(rows[n - 1].bound));
  new uPlot(
    {
      width: drawn.clientWidth,
      height: drawn.clientHeight,
      legend: { show: false },
      cursor: { sync: { key: "all" }, points: { show: false }, drag: { x: false, y: false } },
      scales: { x: { range: [times[0], times.at(-1)] }, y: { range: [0, rows.length] } },
      axes: [
        { stroke: QUIET, grid: { show: false }, ticks: { show: false }, size: 24, space: 70, values: clock },
        {
          stroke: QUIET,
          grid: { show: false },
          ticks: { show: false },
          size: 76,
          splits: () => marks,
          values: (_, ticks) => ticks.map((n) => write(rows[n - 1].bound)),
        },
      ],
      series: [{}, { show: false }],
      hooks: { draw: [(chart) => cells(panel, chart, rows, times, step, most)] },
    },
    [times, times.map(() => 0)],
    drawn,
  );
}

function cells(panel, chart, rows, times, step, most) {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  const height = bbox.height / rows.length;
  rows.forEach((row, n) => {
    const top = chart.valToPos(n + 1, "y", true);
    row.values.forEach((value, t) => {
      if (value <= (panel.options.filterValues?.le ?? 0)) return;
      const right = chart.valToPos(times[t], "x", true);
      const left = chart.valToPos(times[t] - step, "x", true);
      ctx.fillStyle = colour(panel, value / most);
      ctx.fillRect(left, top, Math.max(1, right - left - 1), Math.max(1, height - 1));
    });
  });
  ctx.restore();
}

function scale(most, write) {
  const canvas = made("canvas", { width: 160, height: 8 });
  const ctx = canvas.getContext("2d");
  for (let x = 0; x < 160; x += 1) {
    ctx.fillStyle = colour({ options: { color: { exponent: 1 } } }, x / 159);
    ctx.fillRect(x, 0, 1, 8);
  }
  return made("div", { className: "scale" }, "0", canvas, write(most));
}
