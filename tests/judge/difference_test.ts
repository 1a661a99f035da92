import assert from "node:assert/strict";
import { readAnswer } from "../../src/judge/answer.ts";
import { differenceText } from "../../src/judge/difference.ts";
import { compareRows, type RowOrder } from "../../src/judge/rows.ts";
import { concat, int16, int32, message } from "../support/wire_client.ts";

type Value = string | null;

function answer(rows: readonly (readonly Value[])[]) {
  return readAnswer(concat(rows.map((cells) =>
    message(
      "D",
      int16(cells.length),
      ...cells.map((cell) =>
        cell === null
          ? int32(-1)
          : concat([int32(cell.length), new TextEncoder().encode(cell)])
      ),
    )
  )));
}

const COLUMNS = [
  { name: "id", typeOid: 23, isBinary: false },
  { name: "name", typeOid: 25, isBinary: false },
];
const ANY: RowOrder = {
  keys: undefined,
  limited: false,
  partial: false,
  cut: false,
};
const BY_ID: RowOrder = { ...ANY, keys: [0] };

function found(
  primary: readonly (readonly Value[])[],
  mirror: readonly (readonly Value[])[],
  order: RowOrder,
  clear = true,
): unknown {
  const result = compareRows(answer(primary), answer(mirror), order, {
    columns: [],
    lagUs: 0,
    separators: [],
  });
  if (result.kind !== "different") return result.kind;
  const text = differenceText(result.difference, COLUMNS, clear);
  return Object.values(text).filter((part) => part !== null);
}

const ROWS = [["1", "a"], ["2", "b"], ["3", null]] as const;

Deno.test("compareRows: a value that differs is named with its row, column and both values", () => {
  const other = [["1", "a"], ["2", "B"], ["3", null]];
  const place = "row 2, column name (text)";
  for (const order of [ANY, BY_ID]) {
    assert.deepEqual(found(ROWS, other, order), [place, "'b'", "'B'"]);
    assert.deepEqual(found(ROWS, other, order, false), [
      place,
      "1 bytes",
      "1 bytes",
    ]);
    assert.equal(found(ROWS, ROWS, order), "equal");
  }
  assert.deepEqual(found(ROWS, [...ROWS.slice(0, 2), ["3", ""]], BY_ID), [
    "row 3, column name (text)",
    "NULL",
    "''",
  ]);
  const shuffled = [["3", null], ["1", "a"], ["2", "B"]];
  assert.deepEqual(found(ROWS, shuffled, ANY), [place, "'b'", "'B'"]);
});

Deno.test("compareRows: rows missing and rows more are told, with ORDER BY and without", () => {
  for (const order of [ANY, BY_ID]) {
    assert.deepEqual(found(ROWS, [ROWS[0], ROWS[2]], order), [
      "row 2 of the primary is missing on the mirror",
    ]);
    assert.deepEqual(found([ROWS[0], ROWS[2]], ROWS, order), [
      "row 2 of the mirror is not on the primary",
    ]);
    assert.deepEqual(found([], ROWS, order), [
      "row 1 of the mirror is not on the primary",
    ]);
  }
});

Deno.test("compareRows: another order is a difference under ORDER BY only, and within equal keys is none", () => {
  const other = [ROWS[1], ROWS[0], ROWS[2]];
  assert.equal(found(ROWS, other, ANY), "permuted");
  assert.deepEqual(found(ROWS, other, BY_ID), [
    "only the order differs, from row 1 on",
  ]);
  assert.equal(
    found(ROWS, other, { ...ANY, keys: "unknown" }),
    "order_unknown",
  );
  const ties = [["1", "a"], ["1", "b"], ["2", "c"]];
  const swapped = [["1", "b"], ["1", "a"], ["2", "c"]];
  assert.equal(found(ties, swapped, BY_ID), "permuted");
  assert.deepEqual(found(ties, [["1", "b"], ["1", "x"], ["2", "c"]], BY_ID), [
    "row 1, column name (text)",
    "'a'",
    "'x'",
  ]);
});

Deno.test("compareRows: a row that comes twice is not one that comes once", () => {
  const twice = [["1", "a"], ["1", "a"], ["2", "b"]];
  const once = [["1", "a"], ["2", "b"], ["2", "b"]];
  for (const order of [ANY, BY_ID]) {
    assert.ok(Array.isArray(found(twice, once, order)));
  }
});

Deno.test("compareRows: a LIMIT excuses its last group of equal keys, and nothing before it", () => {
  const limited = { ...BY_ID, limited: true };
  const rows = [["1", "a"], ["2", "b"], ["2", "c"]];
  assert.equal(
    found(rows, [["1", "a"], ["2", "b"], ["2", "d"]], limited),
    "chosen",
  );
  assert.deepEqual(
    found(rows, [["1", "x"], ["2", "b"], ["2", "c"]], limited),
    ["row 1, column name (text)", "'a'", "'x'"],
  );
  assert.deepEqual(
    found(rows, [["1", "a"], ["2", "b"], ["3", "c"]], limited),
    ["row 3, column id (int4)", "'2'", "'3'"],
  );
});
