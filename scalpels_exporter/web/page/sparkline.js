// The picture of a tracer's main series: one curve, its last value and its span. Draws nothing else.

import { quantity, span } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 300;
const HEIGHT = 50;

export class Sparkline {
  constructor() {
    this.node = document.createElement("figure");
    this.node.className = "picture";
    const caption = this.node.appendChild(document.createElement("figcaption"));
    this.title = caption.appendChild(document.createElement("span"));
    this.last = caption.appendChild(document.createElement("output"));
    const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
    this.svg = this.node.appendChild(svg);
    svg.appendChild(shape("line", { class: "base", x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT }));
    this.area = svg.appendChild(shape("path", { class: "area" }));
    this.curve = svg.appendChild(shape("path", { class: "curve" }));
    const foot = this.node.appendChild(document.createElement("p"));
    foot.className = "span";
    this.from = foot.appendChild(document.createElement("span"));
    this.top = foot.appendChild(document.createElement("span"));
  }

  update(title, unit, points) {
    const known = points.filter(([, value]) => value !== null);
    this.node.hidden = known.length < 2;
    if (this.node.hidden) return;
    const values = known.map(([, value]) => value);
    const first = known[0][0];
    const length = known[known.length - 1][0] - first || 1;
    const low = Math.min(0, ...values);
    const high = Math.max(0, ...values);
    const height = high - low || 1;
    const path = known.map(([at, value]) => {
      const x = ((at - first) / length) * WIDTH;
      const y = HEIGHT - 1 - ((value - low) / height) * (HEIGHT - 2);
      return `${x.toFixed(1)} ${y.toFixed(1)}`;
    });
    this.curve.setAttribute("d", `M${path.join("L")}`);
    this.area.setAttribute("d", `M0 ${HEIGHT}L${path.join("L")}L${WIDTH} ${HEIGHT}Z`);
    const now = quantity(values[values.length - 1], unit);
    const most = quantity(high, unit);
    this.title.textContent = title;
    this.last.textContent = now;
    this.from.textContent = `last ${span(length)}`;
    this.top.textContent = `highest ${most}`;
    this.svg.setAttribute("aria-label", `${title}: now ${now}, highest ${most} in the last ${span(length)}`);
  }
}

function shape(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}
