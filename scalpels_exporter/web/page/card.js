// One tracer's card. Made once, then changed in place, so that nothing flickers and the focus stays.
// Everything that comes from the agent is set as text, never as markup.

import { Sparkline } from "./sparkline.js";
import { bytes, percent, short, span, total } from "./words.js";

// state → mark, tone, whether it needs somebody
export const STATES = {
  failed: ["✕", "bad", true],
  shed: ["▼", "warn", true],
  backoff: ["↻", "warn", true],
  unsupported: ["⊘", "odd", true],
  running: ["●", "good", false],
  starting: ["◔", "busy", false],
  stopping: ["◕", "busy", false],
  stopped: ["○", "still", false],
};
const STARTABLE = ["stopped", "failed", "shed", "unsupported"];
const LEASES = [["10m", "for 10 min"], ["1h", "for 1 h"], ["8h", "for 8 h"], ["", "without end"]];
const FACTS = [
  ["CPU", "CPU of the worker, as a share of one CPU"],
  ["in probes", "time in the kernel's probes, as a share of one CPU"],
  ["memory", "resident memory of the worker"],
  ["series", "series that it exports"],
  ["last snapshot", "age of the last good snapshot"],
];
const WINDOW = 60; // seconds over which CPU is measured
const SURE = 4000; // milliseconds in which a second press stops

export class Card {
  constructor(name, act) {
    this.name = name;
    this.act = act;
    this.seen = []; // [agent's time, CPU seconds, probe seconds]
    this.node = make("article", "tracer");
    const head = this.node.appendChild(make("div", "head"));
    this.title = head.appendChild(make("h2", "", name));
    this.title.id = `tracer-${name}`;
    this.node.setAttribute("aria-labelledby", this.title.id);
    this.badge = head.appendChild(make("span", "badge"));
    this.help = this.node.appendChild(make("p", "help"));
    this.why = this.node.appendChild(make("p", "why"));
    this.lease = this.node.appendChild(make("p", "lease"));
    this.picture = new Sparkline();
    this.node.appendChild(this.picture.node);
    this.facts = this.node.appendChild(make("dl", "facts"));
    this.values = {};
    for (const [name, title] of FACTS) {
      const box = this.facts.appendChild(make("div", ""));
      box.appendChild(make("dt", "", name));
      box.title = title;
      this.values[name] = [box, box.appendChild(make("dd", ""))];
    }
    this.losses = this.node.appendChild(make("ul", "losses"));
    this.losses.setAttribute("aria-label", "Lost or refused");
    this.makeControls();
  }

  makeControls() {
    this.controls = this.node.appendChild(make("div", "controls"));
    this.start = this.controls.appendChild(make("button", "go", "Start"));
    this.start.setAttribute("aria-label", `Start ${this.name}`);
    this.length = this.controls.appendChild(make("select", ""));
    this.length.setAttribute("aria-label", `How long ${this.name} is to run`);
    for (const [value, text] of LEASES) this.length.appendChild(new Option(text, value));
    this.stop = this.controls.appendChild(make("button", "", "Stop"));
    this.stop.setAttribute("aria-label", `Stop ${this.name}`);
    for (const button of [this.start, this.stop]) button.type = "button";
    this.start.addEventListener("click", () => this.send("start", this.length.value ? { for: this.length.value } : {}));
    this.stop.addEventListener("click", () => this.stopPressed());
  }

  stopPressed() {
    if (this.sure) {
      this.calm();
      this.send("stop", {});
      return;
    }
    this.stop.textContent = "Stop it? Press again";
    this.stop.className = "sure";
    this.sure = setTimeout(() => this.calm(), SURE);
  }

  calm() {
    clearTimeout(this.sure);
    this.sure = 0;
    this.stop.textContent = "Stop";
    this.stop.className = "";
  }

  async send(verb, wish) {
    this.start.disabled = this.stop.disabled = true;
    await this.act(this.name, verb, wish);
    this.start.disabled = this.stop.disabled = false;
  }

  update(status, now, controls) {
    this.status = status;
    const [mark, tone, trouble] = STATES[status.state] ?? ["?", "still", false];
    this.node.dataset.tone = tone;
    this.node.classList.toggle("trouble", trouble);
    write(this.badge, `${mark} ${status.state}`);
    write(this.help, status.help);
    this.picture.update(status.picture_title, status.picture_unit, status.picture);
    this.measure(status, now);
    this.showLosses(status);
    const startable = STARTABLE.includes(status.state);
    this.controls.hidden = !controls;
    this.start.hidden = this.length.hidden = !startable;
    this.stop.hidden = startable || status.state === "stopping";
    this.tick(now);
  }

  /** What changes with the time alone. */
  tick(now) {
    const { state, since, why, lease_until: until, snapshot_at: at } = this.status;
    write(this.why, `${state} for ${span(now - since)}${why ? `: ${why}` : ""}`);
    this.lease.hidden = until === null;
    if (until !== null) write(this.lease, `ends by itself in ${span(until - now)}`);
    this.fact("last snapshot", at === null ? null : `${span(now - at)} ago`);
  }

  measure(status, now) {
    this.seen.push([now, status.cpu_seconds, status.probe_seconds]);
    while (this.seen.length > 2 && now - this.seen[0][0] > WINDOW) this.seen.shift();
    const [at, cpu, probe] = this.seen[0];
    const alive = status.pid !== null;
    const time = now - at;
    const known = alive && time > 0;
    this.fact("CPU", alive ? (known ? percent(Math.max(0, status.cpu_seconds - cpu) / time) : "…") : null);
    this.fact("in probes", known && status.probe_runs ? percent(Math.max(0, status.probe_seconds - probe) / time) : null);
    this.fact("memory", alive && status.memory_bytes ? bytes(status.memory_bytes) : null);
    this.fact("series", status.series ? short(status.series) : null);
  }

  /** A null hides it. */
  fact(name, value) {
    const [box, place] = this.values[name];
    box.hidden = value === null;
    this.facts.hidden = [...this.facts.children].every((each) => each.hidden);
    if (value !== null) write(place, value);
  }

  showLosses(status) {
    const found = [];
    for (const [what, counts] of [["rejected", status.rejected], ["lost", status.lost]]) {
      const reasons = Object.keys(counts).filter((reason) => counts[reason]);
      if (reasons.length) found.push(`${short(total(counts))} ${what} (${reasons.join(", ")})`);
    }
    if (status.timeouts) found.push(`${short(status.timeouts)} late answers`);
    if (status.skipped) found.push(`${short(status.skipped)} ticks skipped over its budget`);
    if (status.folded) found.push(`${short(status.folded)} folded into “other”`);
    const restarts = status.starts - 1;
    if (restarts > 0) found.push(`${restarts} restart${restarts > 1 ? "s" : ""}`);
    const text = found.join("\n");
    this.losses.hidden = !found.length;
    if (this.losses.dataset.text === text) return;
    this.losses.dataset.text = text;
    this.losses.replaceChildren(...found.map((line) => make("li", "", line)));
  }
}

export function make(tag, name, text = "") {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text) node.textContent = text;
  return node;
}

export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
