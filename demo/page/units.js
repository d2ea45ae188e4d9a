// Values as Grafana writes them, for the units that the dashboards use. Nothing is drawn here.

const FIGURES = 3;

function scaled(value, step, names) {
  let place = 0;
  let left = Math.abs(value);
  while (left >= step && place < names.length - 1) {
    left /= step;
    place += 1;
  }
  return [Math.sign(value) * left, names[place]];
}

function figures(value) {
  if (value === 0) return "0";
  const size = Math.floor(Math.log10(Math.abs(value)));
  return String(Number(value.toFixed(Math.max(0, Math.min(6, FIGURES - 1 - size)))));
}

function seconds(value) {
  const size = Math.abs(value);
  if (size === 0) return "0 s";
  if (size < 1e-6) return `${figures(value * 1e9)} ns`;
  if (size < 1e-3) return `${figures(value * 1e6)} µs`;
  if (size < 1) return `${figures(value * 1e3)} ms`;
  if (size < 60) return `${figures(value)} s`;
  if (size < 3600) return `${figures(value / 60)} mins`;
  if (size < 86400) return `${figures(value / 3600)} hours`;
  return `${figures(value / 86400)} days`;
}

function bytes(value, per = "") {
  const [left, name] = scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]);
  return `${figures(left)} ${name}${per}`;
}

function short(value, unit = "") {
  const [left, name] = scaled(value, 1000, ["", "K", "Mil", "Bil", "Tri"]);
  return `${figures(left)}${name ? ` ${name}` : ""}${unit && ` ${unit}`}`;
}

const WRITTEN = {
  s: seconds,
  bytes: (value) => bytes(value),
  binBps: (value) => bytes(value, "/s"),
  cps: (value) => short(value, "c/s"),
  ops: (value) => short(value, "ops/s"),
  reqps: (value) => short(value, "req/s"),
  pps: (value) => short(value, "p/s"),
  percentunit: (value) => `${figures(value * 100)}%`,
  short: (value) => short(value),
  dateTimeFromNow: (value) => `${seconds(Date.now() / 1000 - value / 1000)} ago`,
  string: String,
};

/** The function that writes a value in this unit; one that is not known here is shown beside the number. */
export function writer(unit = "short") {
  if (unit.startsWith("suffix:")) return (value) => `${figures(value)}${unit.slice("suffix:".length)}`;
  return WRITTEN[unit] ?? ((value) => `${short(value)} ${unit}`);
}
