import { byId, el } from "./dom.js";
import { dateTime } from "./format.js";
import { getJson } from "./feed.js";

const PERIOD_MS = 10_000;
const OFF =
  "History is off: nothing of this outlives the process. A table [plugins.history] in the configuration switches it on.";
const KINDS = {
  start: "started",
  stop: "stopped",
  crash: "crashed",
  config: "reconfigured",
  reset: "reset",
  verdict: "verdict",
};

/** Verdicts and boundaries, from the history plugin. */
export function createHistory() {
  const parent = byId("history");
  let shown = "";
  let nextAt = 0;

  function draw(state, ...children) {
    if (state === shown) return;
    shown = state;
    parent.replaceChildren(...children);
  }

  return {
    async update(live) {
      if (!live.hasHistory) {
        draw("off", el("p", { class: "empty" }, OFF));
        return;
      }
      if (performance.now() < nextAt) return;
      nextAt = performance.now() + PERIOD_MS;
      try {
        const { boundaries } = await getJson("/history");
        draw(JSON.stringify(boundaries), table(boundaries));
      } catch {
        draw(
          "failed",
          el("p", { class: "empty" }, "The history's store does not answer."),
        );
      }
    },
  };
}

function table(boundaries) {
  if (boundaries.length === 0) {
    return el("p", { class: "empty" }, "Nothing was recorded yet.");
  }
  return el(
    "div",
    {
      class: "scroll",
      tabindex: "0",
      role: "region",
      "aria-label": "Verdicts and boundaries",
    },
    el(
      "table",
      {},
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          ...["When", "What", "Note"].map((name) =>
            el("th", { scope: "col" }, name)
          ),
        ),
      ),
      el("tbody", {}, ...boundaries.map(row)),
    ),
  );
}

function row({ at, kind, note }) {
  return el(
    "tr",
    { "data-kind": kind },
    el(
      "td",
      {},
      el("time", { datetime: new Date(at).toISOString() }, dateTime(at)),
    ),
    el("td", {}, KINDS[kind] ?? kind),
    el("td", {}, note),
  );
}
