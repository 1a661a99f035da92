import assert from "node:assert/strict";
import { readAnswer } from "../../src/judge/answer.ts";
import type { CellRule } from "../../src/judge/cell_rules.ts";
import { compareRows, type RowOrder } from "../../src/judge/rows.ts";
import type { Mask } from "../../src/sql/trait.ts";
import { concat, int16, int32, message } from "../support/wire_client.ts";

type Row = readonly (string | null)[];

function answer(rows: readonly Row[]) {
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

interface Rules {
  /** By column: its type, and its mask. */
  readonly columns: readonly (readonly [typeOid: number, mask?: Mask])[];
  readonly order?: Partial<RowOrder>;
  readonly lagUs?: number;
  readonly form?: CellRule["form"];
  readonly isFolded?: boolean;
}

const INT = 23;
const TEXT = 25;
const FLOAT = 701;
const NUMERIC = 1_700;
const AT = 1_184;

function found(
  primary: readonly Row[],
  mirror: readonly Row[],
  { columns, order, lagUs = 0, form, isFolded = false }: Rules,
): string {
  const result = compareRows(
    answer(primary),
    answer(mirror),
    { keys: undefined, limited: false, cut: false, ...order },
    {
      lagUs,
      columns: columns.map(([typeOid, mask], i) => ({
        column: { name: `c${i}`, typeOid, isBinary: false },
        mask,
        form,
        isFolded,
      })),
    },
  );
  switch (result.kind) {
    case "masked":
      return `masked ${[...result.columns.keys()].join(",")}`;
    case "different": {
      const { difference } = result;
      return difference.kind === "value"
        ? `row ${difference.row}, column ${difference.column}`
        : `${difference.kind} ${difference.row}`;
    }
    default:
      return result.kind;
  }
}

Deno.test("compareRows: a masked column excuses its own cells, and no others", () => {
  const columns = [[INT], [INT, "sequence"]] as const;
  assert.equal(found([["1", "7"]], [["1", "9"]], { columns }), "masked 1");
  assert.equal(
    found([["1", "7"]], [["2", "9"]], { columns }),
    "row 1, column 1",
  );
  assert.equal(found([["1", "7"]], [["1", "7"]], { columns }), "equal");
  assert.equal(found([["1", "7"]], [], { columns }), "missing 1");
});

Deno.test("compareRows: NULL is no number of a sequence, and no moment", () => {
  for (const [type, mask] of [[INT, "sequence"], [AT, "time"]] as const) {
    assert.equal(
      found([["1", "7"]], [["1", null]], { columns: [[INT], [type, mask]] }),
      "row 1, column 2",
    );
  }
  assert.equal(
    found([["7"]], [[null]], { columns: [[INT, "choice"]] }),
    "masked 0",
  );
});

Deno.test("compareRows: a moment is later by the lag and a margin, and by no hour", () => {
  const columns = [[AT, "time"]] as const;
  const at = (time: string) => [[`2024-01-01 ${time}+00`]];
  const lagUs = 10 * 60e6;
  assert.equal(found(at("10:00:00"), at("10:00:01"), { columns }), "masked 0");
  assert.equal(
    found(at("10:00:00"), at("10:09:00"), { columns }),
    "row 1, column 1",
  );
  assert.equal(
    found(at("10:00:00"), at("10:09:00"), { columns, lagUs }),
    "masked 0",
  );
  for (const time of ["09:00:00", "11:00:00"]) {
    assert.equal(
      found(at("10:00:00"), at(time), { columns, lagUs }),
      "row 1, column 1",
      time,
    );
  }
});

Deno.test("compareRows: rows are paired by what is not masked, in any order", () => {
  const columns = [[TEXT], [AT, "time"]] as const;
  const rows: Row[] = [["a", "2024-01-01 10:00:00"], [
    "b",
    "2024-01-01 12:00:00",
  ]];
  const later: Row[] = [["b", "2024-01-01 12:00:01"], [
    "a",
    "2024-01-01 10:00:01",
  ]];
  assert.equal(found(rows, later, { columns }), "masked 1");
  assert.equal(
    found(rows, [...later].reverse(), { columns, order: { keys: [0] } }),
    "masked 1",
  );
  assert.equal(
    found(rows, later, { columns, order: { keys: [0] } }),
    "order 1",
  );
  // By a key that is masked nothing is ordered.
  assert.equal(
    found(rows, later, { columns, order: { keys: [1] } }),
    "masked 1",
  );
});

Deno.test("compareRows: float sums differ in their last digits, numbers that differ are found", () => {
  const columns = [[FLOAT, "float"]] as const;
  assert.equal(
    found([["0.30000000000000004"]], [["0.3"]], { columns }),
    "masked 0",
  );
  assert.equal(found([["0.3"]], [["0.31"]], { columns }), "row 1, column 1");
  assert.equal(
    found([["1"], ["2"], ["3.0000000000000004"]], [["3"], ["1"], ["2"]], {
      columns,
    }),
    "masked 0",
  );
});

Deno.test("compareRows: numbers of rows change places, and are all there", () => {
  const columns = [[TEXT], [INT, "numbered"]] as const;
  const rows: Row[] = [["a", "1"], ["b", "2"], ["c", "3"]];
  const swapped: Row[] = [["a", "2"], ["b", "1"], ["c", "3"]];
  const wrong: Row[] = [["a", "2"], ["b", "2"], ["c", "3"]];
  assert.equal(found(rows, swapped, { columns }), "masked 1");
  assert.equal(found(rows, wrong, { columns }), "row 1, column 2");
  assert.equal(
    found(rows, wrong, { columns, order: { keys: [0] } }),
    "row 1, column 2",
  );
});

Deno.test("compareRows: a list keeps its elements", () => {
  const columns = [[1_009, "permuted"]] as const;
  assert.equal(found([["{a,b}"]], [["{b,a}"]], { columns }), "masked 0");
  assert.equal(
    found([["{a,b}"]], [["{b,c}"]], { columns }),
    "row 1, column 1",
  );
  assert.equal(
    found([["{a,b}"]], [["{b,a}"]], { columns: [[1_009]] }),
    "row 1, column 1",
  );
});

Deno.test("compareRows: of equal values a group keeps one; without groups each counts", () => {
  const scale = { columns: [[NUMERIC]], form: "scale" } as const;
  assert.equal(
    found([["1.0"]], [["1.00"]], { ...scale, isFolded: true }),
    "equal",
  );
  assert.equal(found([["1.0"]], [["1.00"]], scale), "row 1, column 1");
  assert.equal(
    found([["1.0"]], [["1.01"]], { ...scale, isFolded: true }),
    "row 1, column 1",
  );
  // ORDER BY takes them for equal: their rows come in any order.
  const rows: Row[] = [["1.0", "a"], ["1.00", "b"]];
  const two = { columns: [[NUMERIC], [TEXT]], order: { keys: [0] } } as const;
  assert.equal(
    found(rows, [...rows].reverse(), { ...two, form: "scale" }),
    "permuted",
  );
});
