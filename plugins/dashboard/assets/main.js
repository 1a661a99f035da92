import { createCharts } from "./charts.js";
import { byId, el, setText } from "./dom.js";
import { startFeed } from "./feed.js";
import { clock, count, duration } from "./format.js";
import { createHistory } from "./history.js";
import { createLedger } from "./ledger.js";
import { createStatements } from "./statements.js";
import { createVerdict } from "./verdict.js";

const verdict = createVerdict();
const ledger = createLedger();
const charts = createCharts();
const statements = createStatements();
const history = createHistory();
const select = byId("mirror");
const RANK = ["READY", "INCONCLUSIVE", "NOT READY"];

/** The chosen mirror; until somebody chooses, the worst. */
let chosen;
/** The last answers, to be drawn again when another mirror is chosen. */
let last;

select.addEventListener("change", () => {
  chosen = select.value;
  if (last !== undefined) draw(last);
});

startFeed({
  paths: () => [`/live?since=${charts.latest()}`, "/readiness"],
  onAnswer([live, readiness]) {
    byId("lost").hidden = true;
    document.body.classList.remove("stale");
    charts.take(live, keyOf);
    last = { live, readiness };
    draw(last);
  },
  onLost({ since, reason }) {
    const lost = byId("lost");
    const wasHidden = lost.hidden;
    lost.hidden = false;
    document.body.classList.add("stale");
    const what = last === undefined
      ? "Nothing was heard from it yet."
      : "What is shown is from then.";
    // Once for an ear; the seconds go on for the eye.
    if (wasHidden || lost.dataset.reason !== reason) {
      lost.dataset.reason = reason;
      lost.replaceChildren(
        el("strong", {}, `The proxy is lost since ${clock(since)}`),
        el("span", { class: "age", "aria-hidden": "true" }),
        el("span", {}, `: ${reason}. ${what} Trying again every second.`),
      );
    }
    setText(
      lost.querySelector(".age"),
      ` (${duration(Date.now() - since)} ago)`,
    );
    setText(byId("pulse"), "lost");
    byId("pulse").dataset.state = "lost";
  },
});

function draw({ live, readiness }) {
  const verdicts = new Map(readiness.mirrors.map((m) => [keyOf(m), m.verdict]));
  const mirrors = live.mirrors;
  const worst = mirrors.toSorted((a, b) => rank(b) - rank(a))[0];
  const mirror = mirrors.find((m) => keyOf(m) === chosen) ?? worst;
  function rank(m) {
    return RANK.indexOf(verdicts.get(keyOf(m))?.state);
  }

  setText(byId("pulse"), `live ${clock(live.at)}`);
  byId("pulse").dataset.state = "live";
  document.title = `${readiness.state} – PgDog Mirror`;
  pick(mirrors, verdicts, mirror);
  // Without a mirror there is still a verdict: that there is nothing to judge.
  const ofMirror = mirror === undefined
    ? undefined
    : verdicts.get(keyOf(mirror));
  verdict.update(ofMirror ?? readiness, readiness);
  route(live, mirror);
  footer(live);
  void history.update(live);
  document.body.classList.toggle("unmirrored", mirror === undefined);
  if (mirror === undefined) return;
  ledger.update(mirror);
  statements.update(mirror, keyOf(mirror), live);
  charts.show(keyOf(mirror), live.at);
}

/** The list of mirrors, each with its own verdict; hidden if there is no choice. */
function pick(mirrors, verdicts, mirror) {
  byId("picker").hidden = mirrors.length < 2;
  const names = mirrors.map((m) => {
    const state = verdicts.get(keyOf(m))?.state ?? "not judged alone";
    return [keyOf(m), `${m.database} → ${m.mirror}: ${state}`];
  });
  const text = JSON.stringify(names);
  if (select.dataset.names !== text) {
    select.dataset.names = text;
    select.replaceChildren(
      ...names.map(([value, name]) => el("option", { value }, name)),
    );
  }
  if (mirror !== undefined) select.value = keyOf(mirror);
}

function route({ servers }, mirror) {
  const version = (name) => `PostgreSQL ${servers[name] ?? "(not heard yet)"}`;
  const text = mirror === undefined
    ? "No [[mirroring]] is configured: everything is relayed, nothing is mirrored."
    : [
      mirror.database,
      version(mirror.database),
      mirror.mirror,
      version(mirror.mirror),
    ].join("\n");
  const parent = byId("route");
  if (parent.dataset.text === text) return;
  parent.dataset.text = text;
  if (mirror === undefined) {
    parent.replaceChildren(text);
    return;
  }
  const [database, from, name, to] = text.split("\n");
  parent.replaceChildren(
    el("span", { class: "key primary" }, el("b", {}, database), ` ${from}`),
    el("span", { class: "arrow", "aria-label": "mirrored on" }, " → "),
    el("span", { class: "key mirror" }, el("b", {}, name), ` ${to}`),
  );
}

function footer(live) {
  setText(
    byId("footer"),
    `PgDog Mirror ${live.version}, up ${
      duration(live.at - live.startedAt)
    }, comparing "${live.compare}", ${count(live.clients)} clients, ${
      count(live.queueBytes)
    } bytes queued`,
  );
}

/** A pair in one string. */
function keyOf({ database, mirror }) {
  return JSON.stringify([database, mirror]);
}
