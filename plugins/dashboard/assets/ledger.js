import { byId, el, keepList, setText } from "./dom.js";
import { count, share, words } from "./format.js";

/** The terms of the sum, in its order, with their signs. */
const TERMS = [
  ["", "seen"],
  ["=", "replayed"],
  ["+", "excluded"],
  ["+", "dropped"],
  ["+", "failed"],
  ["+", "pending"],
];
/** Outcomes that nobody wants to see. */
const BAD = ["dropped", "failed"];
const GROUPS = ["mismatch", "note", "noise", "skipped", "match"];

/** What became of every request and of every statement. */
export function createLedger() {
  const rows = TERMS.map(([sign, name]) => {
    const [value, part, reasons] = ["number", "share", "reasons"].map((name) =>
      el("td", { class: name })
    );
    const root = el(
      "tr",
      {},
      el("th", { scope: "row" }, el("span", { class: "sign" }, sign), name),
      value,
      part,
      reasons,
    );
    return { name, root, value, part, reasons };
  });
  byId("equation").append(...rows.map(({ root }) => root));
  const empty = el("p", { class: "empty" }, "No statement was compared yet.");
  const list = el("ul", { class: "result-list" });
  byId("results").append(empty, list);
  const known = new Map();

  return {
    update({ ledger, results }) {
      for (const { name, root, value, part, reasons } of rows) {
        const outcome = ledger[name];
        const total = typeof outcome === "number" ? outcome : outcome.total;
        setText(value, count(total));
        setText(
          part,
          name === "seen" || total === 0 ? "" : share(total, ledger.seen),
        );
        setText(reasons, reasonText(outcome));
        root.classList.toggle("trouble", BAD.includes(name) && total > 0);
      }
      const all = Object.values(results).reduce((sum, n) => sum + n, 0);
      const shown = Object.entries(results)
        .filter(([, n]) => n > 0)
        .map(([name, n]) => ({ name, n, all, group: groupOf(name) }))
        .toSorted((a, b) =>
          GROUPS.indexOf(a.group) - GROUPS.indexOf(b.group) || b.n - a.n
        );
      empty.hidden = shown.length > 0;
      keepList(list, known, shown, ({ name }) => name, createResult);
    },
  };
}

function reasonText(outcome) {
  if (typeof outcome === "number") return "";
  return Object.entries(outcome.reasons)
    .map(([reason, n]) => `${words(reason)} ${count(n)}`).join(", ");
}

function groupOf(name) {
  return name.split("_")[0];
}

function createResult({ name, group }) {
  const number = el("span", { class: "number" });
  const part = el("span", { class: "share" });
  const fill = el("span", { class: "fill" });
  const root = el(
    "li",
    { "data-group": group },
    el("span", { class: "name" }, words(name)),
    number,
    part,
    el("span", { class: "bar", "aria-hidden": "true" }, fill),
  );
  return {
    root,
    update({ n, all }) {
      setText(number, count(n));
      setText(part, share(n, all));
      // One in a million is to be seen.
      fill.style.width = `max(2px, ${(n / all * 100).toFixed(3)}%)`;
    },
  };
}
