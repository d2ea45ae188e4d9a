// Asks the agent for its tracers again and again, and says so when it stops answering. `card.js` draws.

import { Card, STATES, make, write } from "./card.js";

// Whole, because a browser fetches nothing relative to an address that was typed with a password in it.
const API = new URL("api/v1/tracers", location.origin + location.pathname).href;
const EVERY = 5000; // milliseconds
const SOON = 1500; // the second look, which gives the first CPU figure
const PATIENCE = 4000;

const at = (id) => document.getElementById(id);
const cards = new Map();
const ORDER = Object.keys(STATES);
let skew = 0; // agent's clock minus ours, seconds
let answered = 0; // our clock at the last good answer, milliseconds
let problem = "";
let timer = 0;

async function look() {
  clearTimeout(timer);
  const first = !answered;
  try {
    const response = await fetch(API, { signal: AbortSignal.timeout(PATIENCE), credentials: "same-origin" });
    if (!response.ok) throw new Error(`it said ${response.status}: ${(await response.text()).trim().slice(0, 200)}`);
    show(await response.json());
    answered = Date.now();
    problem = "";
  } catch (error) {
    problem = error.message.startsWith("it said") ? error.message : "it cannot be reached";
  }
  tick();
  timer = setTimeout(look, first && answered ? SOON : EVERY);
}

function show({ agent, controls, controls_why: why, tracers }) {
  skew = agent.now - Date.now() / 1000;
  write(at("node"), agent.node);
  write(at("version"), agent.version);
  const troubled = tracers.filter((tracer) => STATES[tracer.state]?.[2]).length;
  document.title = `${troubled ? `(${troubled}) ` : ""}${agent.node} – scalpels`;
  at("unready").hidden = agent.ready;
  write(at("unready"), `The agent is not ready: ${agent.ready_why}`);
  at("controls-note").hidden = controls;
  write(at("controls-why"), why);
  at("reason-field").hidden = !controls;
  summarise(tracers);
  arrange(tracers, agent.now, controls);
}

function summarise(tracers) {
  const counts = ORDER.map((state) => [state, tracers.filter((tracer) => tracer.state === state).length]);
  const items = counts.filter(([, count]) => count).map(([state, count]) => {
    const item = make("li", "badge", `${STATES[state][0]} ${count} ${state}`);
    item.dataset.tone = STATES[state][1];
    return item;
  });
  const list = at("summary");
  if (items.map((item) => item.textContent).join() !== [...list.children].map((item) => item.textContent).join()) {
    list.replaceChildren(...items);
  }
}

/** Who needs somebody stands first; a card moves only when its state changes. */
function arrange(tracers, now, controls) {
  const sorted = [...tracers].sort(
    (a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || (a.tracer < b.tracer ? -1 : 1));
  const box = at("tracers");
  const gone = new Set(cards.keys());
  sorted.forEach((tracer, place) => {
    gone.delete(tracer.tracer);
    if (!cards.has(tracer.tracer)) cards.set(tracer.tracer, new Card(tracer.tracer, act));
    const card = cards.get(tracer.tracer);
    card.update(tracer, now, controls);
    if (box.children[place] !== card.node) box.insertBefore(card.node, box.children[place] ?? null);
  });
  for (const name of gone) {
    cards.get(name).node.remove();
    cards.delete(name);
  }
}

async function act(name, verb, wish) {
  const reason = at("reason").value.trim();
  let said = "";
  try {
    const response = await fetch(`${API}/${encodeURIComponent(name)}/${verb}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(reason ? { ...wish, reason } : wish),
      credentials: "same-origin",
      signal: AbortSignal.timeout(2 * PATIENCE),
    });
    if (!response.ok) said = `${name} was not ${verb === "start" ? "started" : "stopped"}: ${await failure(response)}`;
  } catch {
    said = `${name}: the agent did not answer`;
  }
  at("said").classList.toggle("bad", said !== "");
  write(at("said"), said || `${name}: ${verb} was taken`);
  await look();
}

async function failure(response) {
  const text = await response.text();
  try {
    return JSON.parse(text).error;
  } catch {
    return text.trim();
  }
}

function tick() {
  const now = Date.now();
  const lost = problem !== "";
  document.body.classList.toggle("lost", lost && answered !== 0);
  at("lost").hidden = !lost;
  if (lost) {
    const since = answered
      ? `has not answered since ${new Date(answered).toLocaleTimeString()}, so what stands below is old`
      : "does not answer";
    write(at("lost"), `The agent ${since} (${problem}).`);
  }
  write(at("fresh"), answered && !lost ? `as of ${new Date(answered).toLocaleTimeString()}` : "");
  if (!lost) for (const card of cards.values()) card.tick(now / 1000 + skew);
}

setInterval(tick, 1000);
document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  if (!document.hidden) look();
});
look();
