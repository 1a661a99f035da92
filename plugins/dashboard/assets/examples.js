import { el } from "./dom.js";
import { clock, count, words } from "./format.js";

/** The lines of an example, in both columns. */
const LINES = [
  ["answer", ({ kind }) => kind],
  ["SQLSTATE", ({ sqlstate }) => sqlstate ?? "–"],
  ["command tag", ({ tag }) => tag ?? "–"],
  ["rows", ({ rows }) => count(rows)],
  ["there", ({ detail }) => detail ?? "–"],
];

/** What differs where the lines above are equal. */
const HIDDEN = {
  mismatch_rows: "Equal in kind and number; the rows' contents differ.",
  mismatch_columns: "The columns' names, types or formats differ.",
};

/** Both answers to one statement, side by side, the difference marked. */
export function exampleTable(example) {
  const { primary, mirror } = example;
  const rows = LINES.map(([name, of]) => {
    const [left, right] = [of(primary), of(mirror)];
    const differs = left !== right;
    return el(
      "tr",
      differs ? { class: "differs" } : {},
      el("th", { scope: "row" }, name),
      cell(left, differs),
      cell(right, differs),
    );
  });
  const anyDiffers = rows.some(({ className }) => className !== "");
  const hidden = example.difference ?? HIDDEN[example.result] ??
    (anyDiffers ? undefined : "The difference is in the rows.");
  return el(
    "div",
    { class: "example" },
    el(
      "table",
      {},
      el(
        "caption",
        {},
        `${words(example.result)}, ${
          clock(example.at)
        }, session ${example.session}`,
      ),
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          el("td"),
          el("th", { scope: "col", class: "primary" }, "Primary"),
          el("th", { scope: "col", class: "mirror" }, "Mirror"),
        ),
      ),
      el("tbody", {}, ...rows),
    ),
    ...(hidden === undefined
      ? []
      : [el("p", { class: "hidden-difference" }, hidden)]),
    ...(example.values === null ? [] : [
      el(
        "pre",
        { class: "values", tabindex: "0", "aria-label": "As sent" },
        example.values,
      ),
    ]),
  );
}

function cell(text, differs) {
  return differs ? el("td", {}, el("mark", {}, text)) : el("td", {}, text);
}
