// What the dashboards ask of the Prometheus that serves this page, with their variables filled in as Grafana does.

const SCRAPE = 5; // seconds, as demo/prometheus.py has it
const ROUND = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];

async function asked(path, parameters) {
  const address = new URL(`/api/v1/${path}`, location.origin);
  for (const [name, value] of parameters) address.searchParams.append(name, value);
  const answer = await (await fetch(address)).json();
  if (answer.status !== "success") throw new Error(answer.error);
  return answer.data;
}

/** {start, end, step, range} in seconds for the time that is shown in so many pixels. */
export function period(range, width) {
  const wanted = range / Math.max(50, width / 2);
  const step = ROUND.find((one) => one >= wanted) ?? ROUND.at(-1);
  const end = Math.floor(Date.now() / 1000 / step) * step;
  return { start: end - Math.floor(range / step) * step, end, step, range };
}

export function filled(expression, time, choices) {
  const words = {
    __rate_interval: `${Math.max(time.step + SCRAPE, 4 * SCRAPE)}s`,
    __interval: `${time.step}s`,
    __range: `${time.range}s`,
    ...choices,
  };
  return expression.replace(/\$\{?(\w+)\}?/g, (whole, name) => words[name] ?? whole);
}

export async function atOnce(expression, time) {
  return (await asked("query", [["query", expression], ["time", time.end]])).result;
}

/** [{labels, values}] with a value or null for each moment of `moments(time)`. */
export async function overTime(expression, time) {
  const found = await asked("query_range", [
    ["query", expression],
    ["start", time.start],
    ["end", time.end],
    ["step", time.step],
  ]);
  return found.result
    .filter((one) => one.values)
    .map((one) => {
      const values = moments(time).map(() => null);
      for (const [moment, text] of one.values) {
        const value = Number(text);
        if (Number.isFinite(value)) values[Math.round((moment - time.start) / time.step)] = value;
      }
      return { labels: one.metric, values };
    });
}

export function moments(time) {
  return Array.from({ length: Math.round((time.end - time.start) / time.step) + 1 }, (_, n) => time.start + n * time.step);
}

/** What `label_values(SELECTOR, LABEL)` of a variable comes to. */
export async function choicesOf(query, time, choices) {
  const [, selector, label] = /^label_values\((.*), *(\w+)\)$/.exec(query);
  return asked(`label/${label}/values`, [
    ["match[]", filled(selector, time, choices)],
    ["start", time.start],
    ["end", time.end],
  ]);
}

export function named(format, labels) {
  return format.replace(/\{\{ *(\w+) *\}\}/g, (_, name) => labels[name] ?? "").trim();
}
