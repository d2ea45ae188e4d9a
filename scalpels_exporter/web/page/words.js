// Numbers and times as people read them. Pure functions.

const HOUR = 3600;
const DAY = 24 * HOUR;

/** Two units at most: 4 s, 8 min 32 s, 2 h 1 min, 3 d 4 h. */
export function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < HOUR) return two(Math.floor(s / 60), "min", s % 60, "s");
  if (s < DAY) return two(Math.floor(s / HOUR), "h", Math.floor((s % HOUR) / 60), "min");
  return two(Math.floor(s / DAY), "d", Math.floor((s % DAY) / HOUR), "h");
}

function two(first, firstUnit, second, secondUnit) {
  return second ? `${first} ${firstUnit} ${second} ${secondUnit}` : `${first} ${firstUnit}`;
}

export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let size = value;
  let at = 0;
  while (Math.abs(size) >= 1024 && at < units.length - 1) {
    size /= 1024;
    at += 1;
  }
  return `${short(size)} ${units[at]}`;
}

/** Three figures that count. */
export function short(value) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1e9) return `${trim(value / 1e9)} G`;
  if (size >= 1e6) return `${trim(value / 1e6)} M`;
  if (size >= 1e4) return `${trim(value / 1e3)} k`;
  if (size >= 100) return String(Math.round(value));
  return trim(value);
}

function trim(value) {
  return String(Number(value.toPrecision(3)));
}

/** A value of a picture in its unit; seconds and bytes get the prefix that fits. */
export function quantity(value, unit) {
  const [base, per] = split(unit);
  if (base === "seconds") return small(value) + per;
  if (base === "bytes") return bytes(value) + per;
  return unit ? `${short(value)} ${unit}` : short(value);
}

function split(unit) {
  const at = unit.indexOf("/");
  return at < 0 ? [unit, ""] : [unit.slice(0, at), unit.slice(at)];
}

function small(seconds) {
  const size = Math.abs(seconds);
  if (size >= 1 || size === 0) return `${short(seconds)} s`;
  if (size >= 1e-3) return `${short(seconds * 1e3)} ms`;
  if (size >= 1e-6) return `${short(seconds * 1e6)} µs`;
  return `${short(seconds * 1e9)} ns`;
}

export function percent(share) {
  const value = share * 100;
  if (value > 0 && value < 0.01) return "< 0.01 %";
  return `${value >= 10 ? Math.round(value) : Number(value.toFixed(2))} %`;
}

export function total(counts) {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
