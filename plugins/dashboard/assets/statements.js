import { byId, el, keepList, setText } from "./dom.js";
import { exampleTable } from "./examples.js";
import { count, milliseconds, words } from "./format.js";

/** The worst statements, each to be opened. */
export function createStatements() {
  const empty = el("p", { class: "empty" }, "No statement was compared yet.");
  const list = el("div", { class: "statement-list" });
  byId("statements").append(empty, list);
  const known = new Map();

  return {
    /** @param key of the mirror: its statements are others, even of the same fingerprint. */
    update({ statements }, key, live) {
      empty.hidden = statements.length > 0;
      keepList(
        list,
        known,
        statements.map((statement) => ({ ...statement, live })),
        ({ fingerprint }) => `${key} ${fingerprint}`,
        createStatement,
      );
    },
  };
}

function createStatement() {
  const number = el("span", { class: "number" });
  const text = el("code", { class: "text" });
  const classes = el("span", { class: "classes" });
  const ratio = el("span", { class: "ratio" });
  const calls = el("span", { class: "calls" });
  const summary = el("summary", {}, number, text, classes, ratio, calls);
  const body = el("div", { class: "body" });
  const root = el("details", { class: "statement" }, summary, body);
  let shown = "";
  let latest;

  function draw() {
    // What is closed is not drawn, and what has not changed is not drawn again.
    if (!root.open || latest === undefined) return;
    const { live: _live, ...rest } = latest;
    const state = JSON.stringify(rest);
    if (state === shown) return;
    shown = state;
    body.replaceChildren(...details(latest));
  }
  root.addEventListener("toggle", draw);

  return {
    root,
    update(statement) {
      latest = statement;
      const { mismatches, results, latency } = statement;
      root.classList.toggle("mismatched", mismatches > 0);
      setText(number, `${count(mismatches)} differ`);
      setText(text, statement.text);
      setText(classes, classText(results));
      setText(
        ratio,
        latency.ratio === null ? "" : `${latency.ratio.toFixed(2)}× time`,
      );
      setText(calls, `${count(statement.calls)} calls`);
      draw();
    },
  };
}

/** The kinds of difference, most frequent first. */
function classText(results) {
  return Object.entries(results)
    .filter(([name]) => name.startsWith("mismatch_"))
    .toSorted(([, a], [, b]) => b - a)
    .map(([name]) => words(name.slice("mismatch_".length)))
    .join(", ");
}

function details(statement) {
  const { latency, examples, live } = statement;
  return [
    el(
      "pre",
      { class: "sql", tabindex: "0", "aria-label": "Statement" },
      statement.text,
    ),
    el(
      "dl",
      { class: "facts" },
      ...fact("Fingerprint", statement.fingerprint),
      ...fact("Results", resultText(statement.results)),
      ...fact(
        "Primary",
        `p50 ${milliseconds(statement.primaryP50Ms)}, p95 ${
          milliseconds(statement.primaryP95Ms)
        }`,
      ),
      ...fact(
        "Mirror",
        `p50 ${milliseconds(statement.mirrorP50Ms)}, p95 ${
          milliseconds(statement.mirrorP95Ms)
        }`,
      ),
      ...fact("Mirror by primary", ratioText(latency)),
    ),
    ...(examples.length === 0
      ? []
      : [el("div", { class: "examples" }, ...examples.map(exampleTable))]),
    ...(examples.length > 0 && !live.showsValues
      ? [el(
        "p",
        { class: "aside" },
        "Values are not shown without http_token in the configuration.",
      )]
      : []),
  ];
}

function fact(name, value) {
  return [el("div", {}, el("dt", {}, name), el("dd", {}, value))];
}

function resultText(results) {
  return Object.entries(results)
    .map(([name, n]) => `${words(name)} ${count(n)}`).join(", ");
}

function ratioText({ pairs, ratio, ratioLow, ratioHigh, totalRatio }) {
  if (ratio === null) return `not known from ${count(pairs)} pairs`;
  const interval = ratioLow === null || ratioHigh === null
    ? ""
    : ` (95 %: ${ratioLow.toFixed(2)} to ${ratioHigh.toFixed(2)})`;
  return `${ratio.toFixed(2)}×${interval}, median of ${count(pairs)} pairs; ${
    totalRatio.toFixed(2)
  }× in total`;
}
