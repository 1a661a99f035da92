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
  readonly columns: readonly (readonly [
    typeOid: number,
    mask?: Mask,
    more?: Partial<CellRule>,
  ])[];
  readonly order?: Partial<RowOrder>;
  readonly lagUs?: number;
  readonly separators?: readonly string[];
  readonly form?: CellRule["form"];
  readonly isFolded?: boolean;
}

const BOOL = 16;
const INT8 = 20;
const INT = 23;
const TEXT = 25;
const FLOAT = 701;
const NUMERIC = 1_700;
const AT = 1_184;
const INTERVAL = 1_186;

function found(
  primary: readonly Row[],
  mirror: readonly Row[],
  { columns, order, lagUs = 0, separators = [], form, isFolded = false }: Rules,
): string {
  const result = compareRows(
    answer(primary),
    answer(mirror),
    {
      keys: undefined,
      limited: false,
      partial: order?.limited ?? false,
      cut: false,
      ...order,
    },
    {
      lagUs,
      separators,
      columns: columns.map(([typeOid, mask, more], i) => ({
        column: { name: `c${i}`, typeOid, isBinary: false },
        mask,
        form,
        isFolded,
        ...more,
      })),
    },
  );
  switch (result.kind) {
    case "masked":
      return `masked ${
        [...result.columns].map(([i, mask]) =>
          mask === columns[i]?.[1] ? `${i}` : `${i} (${mask})`
        ).join(",")
      }`;
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

Deno.test("compareRows: what is computed from a moment is no NULL", () => {
  const columns = [[INT], [NUMERIC, "moment"]] as const;
  assert.equal(
    found([["1", "17.5"]], [["1", null]], { columns }),
    "row 1, column 2",
  );
  assert.equal(found([["1", null]], [["1", null]], { columns }), "equal");
  // A comparison with NULL is NULL.
  assert.equal(
    found([["t"]], [[null]], { columns: [[BOOL, "boundary"]] }),
    "row 1, column 1",
  );
  // CASE without ELSE.
  assert.equal(
    found([["late"]], [[null]], { columns: [[TEXT, "boundary"]] }),
    "masked 0",
  );
});

Deno.test("compareRows: a text with the moment in it is no evidence of what else differs", () => {
  const columns = [[INT], [114, "moment"]] as const;
  const json = (at: string, a: number) =>
    `{"at":"2024-01-01T${at}+00:00","a":${a}}`;
  const of = (a: string, b: string) =>
    found([["7", a]], [["7", b]], { columns, lagUs: 1e6 });
  assert.equal(of(json("10:00:00.12", 1), json("10:00:01", 1)), "masked 1");
  assert.equal(
    of(json("10:00:00.12", 1), json("10:00:01", 2)),
    "masked 1 (boundary)",
  );
  assert.equal(
    of(json("10:00:00", 1), json("11:00:00", 1)),
    "masked 1 (boundary)",
  );
  // Of other forms nothing is told.
  assert.equal(of("Monday, 10:00", "Monday, 10:01"), "masked 1 (boundary)");
});

Deno.test("compareRows: intervals and seconds up to a moment differ by the lag", () => {
  const lagUs = 10e6;
  for (
    const [type, a, near, far] of [
      [INTERVAL, "10:00:00", "10:01:05", "10:01:15"],
      [INTERVAL, "10:00:00", "09:58:55", "09:58:45"],
      [NUMERIC, "100.5", "165.5", "175.5"],
      [FLOAT, "100.5", "36", "26"],
      [INT, "100", "171", "172"],
    ] as const
  ) {
    const columns = [[type, "age"]] as const;
    assert.equal(found([[a]], [[near]], { columns, lagUs }), "masked 0");
    assert.equal(
      found([[a]], [[far]], { columns, lagUs }),
      "row 1, column 1",
      far,
    );
    // Of what is computed otherwise nobody knows the unit.
    const other = [[type, "moment"]] as const;
    assert.equal(found([[a]], [[near]], { columns: other, lagUs }), "masked 0");
    assert.equal(
      found([[a]], [[far]], { columns: other, lagUs }),
      "masked 0 (boundary)",
    );
  }
});

Deno.test("compareRows: one time that is not read is another one, two are no evidence", () => {
  const columns = [[AT, "time"]] as const;
  const time = "2024-01-01 10:00:00+00";
  for (const other of ["infinity", "01/01/2024 10:00:00 UTC"]) {
    assert.equal(
      found([[time]], [[other]], { columns }),
      "row 1, column 1",
      other,
    );
    assert.equal(found([[other]], [[time]], { columns }), "row 1, column 1");
  }
  assert.equal(
    found([[time]], [["0044-03-15 10:00:00 BC"]], { columns }),
    "row 1, column 1",
  );
  assert.equal(
    found([["infinity"]], [["-infinity"]], { columns }),
    "row 1, column 1",
  );
  assert.equal(
    found([["01/01/2024 10:00:00 UTC"]], [["01/01/2024 10:00:01 UTC"]], {
      columns,
    }),
    "masked 0 (boundary)",
  );
});

Deno.test("compareRows: counts at a boundary of time differ by one and a tenth", () => {
  const columns = [[INT8, "boundary", { isCount: true }]] as const;
  assert.equal(found([["100"]], [["91"]], { columns }), "masked 0");
  assert.equal(found([["1"]], [["0"]], { columns }), "masked 0");
  assert.equal(found([["100"]], [["50"]], { columns }), "row 1, column 1");
  assert.equal(found([["3"]], [["0"]], { columns }), "row 1, column 1");
  // Other numbers may be anything.
  assert.equal(
    found([["100"]], [["50"]], { columns: [[INT8, "boundary"]] }),
    "masked 0",
  );
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
  // Times are in order within their bounds …
  assert.equal(
    found(rows, later, { columns, order: { keys: [1] } }),
    "order 1",
  );
  assert.equal(
    found(rows, [...later].reverse(), { columns, order: { keys: [1] } }),
    "masked 1",
  );
  // … by chance nothing is.
  assert.equal(
    found(rows, later, {
      columns: [[TEXT], [AT, "chance"]],
      order: { keys: [1] },
    }),
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
    found([["0.3"]], [["Infinity"]], { columns }),
    "row 1, column 1",
  );
  assert.equal(found([["NaN"]], [["0"]], { columns }), "row 1, column 1");
  assert.equal(
    found([["1"], ["2"], ["3.0000000000000004"]], [["3"], ["1"], ["2"]], {
      columns,
    }),
    "masked 0",
  );
});

/** Sixty rows are more than one is held against. */
const SIXTY = Array.from({ length: 60 }, (_, i) => i);

Deno.test("compareRows: rows that floats tell apart are paired by these, whatever is left of them", () => {
  const columns = [[AT, "time"], [INT8, "sequence"], [FLOAT, "float"]] as const;
  const row = (place: number, float: number): Row => [
    `2024-01-01 10:00:00.${100 + place}`,
    `${place}`,
    `${float}`,
  ];
  const primary = SIXTY.map((i) => row(i, i + 0.3));
  const mirror = SIXTY.map((i) => row(59 - i, i + 0.1 + 0.2));
  assert.equal(found(primary, mirror, { columns }), "masked 0,1,2");
  const wrong = mirror.with(30, row(29, 30.4));
  assert.match(found(primary, wrong, { columns }), /^row \d+, column 3$/);
});

Deno.test("compareRows: rows that times tell apart are paired by these, though floats differ in the last digits", () => {
  const columns = [[AT, "time"], [FLOAT, "float"]] as const;
  const row = (i: number, float: number): Row => [
    `2024-01-01 ${10 + i % 10}:${10 + Math.floor(i / 10) * 5}:00`,
    `${float}`,
  ];
  const primary = SIXTY.map((i) => row(i, 0.3 + i * 2 ** -53));
  const mirror = SIXTY.map((i) => row(i, 0.3 + (59 - i) * 2 ** -53));
  assert.equal(found(primary, mirror, { columns }), "masked 1");
});

Deno.test("compareRows: numbers of rows change places among rows of one window, and are all there", () => {
  const columns = [[TEXT], [INT], [INT8, "numbered", { within: [1] }]] as const;
  const rows: Row[] = [["a", "7", "1"], ["b", "7", "2"], ["c", "8", "3"]];
  const swapped: Row[] = [["a", "7", "2"], ["b", "7", "1"], ["c", "8", "3"]];
  const wrong: Row[] = [["a", "7", "1"], ["b", "7", "3"], ["c", "8", "2"]];
  const twice: Row[] = [["a", "7", "2"], ["b", "7", "2"], ["c", "8", "3"]];
  const none: Row[] = [["a", "7", "1"], ["b", "7", null], ["c", "8", "3"]];
  for (const order of [{}, { keys: [0] }]) {
    assert.equal(found(rows, swapped, { columns, order }), "masked 2");
    for (const other of [wrong, twice, none]) {
      assert.match(
        found(rows, other, { columns, order }),
        /^row \d, column 3$/,
      );
    }
  }
});

Deno.test("compareRows: numbers whose window is not known are no evidence", () => {
  const columns = [[TEXT], [INT8, "numbered"]] as const;
  const rows: Row[] = [["a", "1"], ["b", "2"], ["c", "3"]];
  const swapped: Row[] = [["a", "2"], ["b", "1"], ["c", "3"]];
  const twice: Row[] = [["a", "2"], ["b", "2"], ["c", "3"]];
  assert.equal(found(rows, swapped, { columns }), "masked 1 (ties)");
  assert.equal(found(rows, twice, { columns }), "row 1, column 2");
  assert.equal(
    found(rows, twice, { columns, order: { keys: [0] } }),
    "row 1, column 2",
  );
});

Deno.test("compareRows: rows sorted by their numbers are in order", () => {
  const columns = [[TEXT], [INT], [INT8, "numbered", { within: [1] }]] as const;
  const order = { keys: [2] };
  const rows: Row[] = [["a", "7", "1"], ["b", "7", "2"], ["c", "8", "3"]];
  const swapped: Row[] = [["b", "7", "1"], ["a", "7", "2"], ["c", "8", "3"]];
  assert.equal(found(rows, swapped, { columns, order }), "masked 2");
  assert.equal(
    found(rows, [...rows].reverse(), { columns, order }),
    "order 1",
  );
  // Of the keys behind a number the order is not known, of those before it is.
  const two = { keys: [0, 2] };
  assert.equal(found(rows, rows, { columns, order: two }), "equal");
  assert.equal(found(rows, swapped, { columns, order: two }), "order 1");
  // With a LIMIT rows that are not here have numbers of the window, too.
  const number3: Row[] = [["a", "7", "1"], ["b", "7", "3"]];
  for (const partial of [false, true]) {
    assert.equal(
      found(rows.slice(0, 2), number3, {
        columns,
        order: { keys: [0], partial },
      }),
      partial ? "masked 2 (ties)" : "row 2, column 3",
    );
  }
  // At the cut of a LIMIT rows of the last window may be others.
  const limited = { ...order, limited: true };
  const other: Row[] = [["a", "7", "1"], ["b", "7", "2"], ["d", "8", "3"]];
  assert.equal(found(rows, other, { columns, order: limited }), "chosen");
  assert.equal(
    found(rows, [["d", "7", "1"], ...rows.slice(1)], {
      columns,
      order: limited,
    }),
    "row 1, column 1",
  );
});

Deno.test("compareRows: at the cut of a LIMIT by a key that may differ rows with the last key may be others", () => {
  const columns = [[TEXT], [INTERVAL, "age"]] as const;
  const limited = { keys: [1], limited: true };
  const rows: Row[] = [["a", "01:00:00"], ["b", "05:00:00"]];
  const of = (...mirror: Row[]) =>
    found(rows, mirror, { columns, order: limited });
  assert.equal(of(["a", "01:00:01"], ["c", "05:00:01"]), "chosen");
  assert.equal(of(["c", "01:00:01"], ["b", "05:00:01"]), "row 1, column 1");
  assert.equal(
    found(rows, [["a", "01:00:01"], ["c", "05:00:01"]], {
      columns,
      order: { keys: [1] },
    }),
    "row 2, column 1",
  );
  // By chance any may have come.
  assert.equal(
    found([["a", "0.1"]], [["b", "0.7"]], {
      columns: [[TEXT], [FLOAT, "chance"]],
      order: limited,
    }),
    "chosen",
  );
});

Deno.test("compareRows: rows are paired by all that may differ, not by the first of it", () => {
  const columns = [[FLOAT, "float"], [FLOAT, "float"], [INT]] as const;
  const rows: Row[] = [
    ["0.3", "1", "7"],
    ["0.30000000000000004", "2", "7"],
    ["0.3", "3", "7"],
  ];
  const other: Row[] = [
    ["0.30000000000000004", "1", "7"],
    ["0.30000000000000004", "3", "7"],
    ["0.3", "2", "7"],
  ];
  assert.equal(found(rows, other, { columns }), "masked 0");
  const wrong: Row[] = [...other.slice(0, 2), ["0.3", "2.5", "7"]];
  assert.equal(found(rows, wrong, { columns }), "row 2, column 2");
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

Deno.test("compareRows: a text that joins elements keeps them, as far as the separator is known", () => {
  const columns = [[INT], [TEXT, "permuted"]] as const;
  const of = (a: string, b: string, ...separators: string[]) =>
    found([["7", a]], [["7", b]], { columns, separators });
  assert.equal(of("a, b", "b, a", ", "), "masked 1");
  assert.equal(of("a, b", "b, c", ", "), "row 1, column 2");
  // Elements that end like a separator
  assert.equal(
    of("Acme Inc., Foo Ltd", "Foo Ltd, Acme Inc.", ", "),
    "masked 1",
  );
  // The same letters, but not the same elements
  assert.equal(of("12,3", "13,2", ","), "row 1, column 2");
  assert.equal(of("12,3", "13,2"), "masked 1 (ties)");
  assert.equal(of("1x22", "22x1", "x"), "masked 1");
  // Nothing between elements
  assert.equal(of("abcd", "cdab"), "masked 1 (ties)");
  assert.equal(of("abcd", "cdax"), "row 1, column 2");
  // One that may overlap with an element's end
  assert.equal(of("a---b", "b--a-", "--"), "masked 1 (ties)");
  assert.equal(of("a--b", "b--a", "--"), "masked 1");
  assert.equal(of("a--b", "b--c", "--"), "row 1, column 2");
});

Deno.test("compareRows: where no type is known the text of a value tells it", () => {
  const of = (mask: Mask, a: string | null, b: string | null) =>
    found([["7", a]], [["7", b]], { columns: [[INT], [0, mask]] });
  const at = (time: string) => `2024-01-01 ${time}+00`;
  assert.equal(of("time", at("10:00:00"), at("10:00:01.5")), "masked 1");
  const far = of("time", at("10:00:00"), at("11:00:00"));
  assert.equal(far, "row 1, column 2");
  assert.equal(of("time", at("10:00:00"), null), "row 1, column 2");
  assert.equal(of("time", at("10:00:00"), "infinity"), "row 1, column 2");
  assert.equal(of("time", "infinity", at("10:00:00")), "row 1, column 2");
  assert.equal(of("time", "10:00:00", "10:00:01"), "masked 1 (age)");
  assert.equal(of("time", "10:00:00", "12:00:01"), "row 1, column 2");
  assert.equal(of("age", "100.5", "101.5"), "masked 1");
  assert.equal(of("age", "100.5", "1000.5"), "row 1, column 2");
  assert.equal(of("float", "0.3", "0.30000000000000004"), "masked 1");
  assert.equal(of("float", "0.3", "0.31"), "row 1, column 2");
  // Sums of whole numbers are exact.
  assert.equal(of("float", "10000000000", "10000000001"), "row 1, column 2");
  assert.equal(of("permuted", "{1,2}", "{2,1}"), "masked 1");
  assert.equal(of("permuted", "{1,2}", "{2,3}"), "row 1, column 2");
  assert.equal(of("permuted", "a,b", "b,a"), "masked 1 (ties)");
  assert.equal(of("chance", "a", "b"), "masked 1");
});

Deno.test("compareRows: more rows without a twin than a call takes arguments", () => {
  const rows: Row[] = Array(200_000).fill(["7"]);
  assert.equal(found(rows, [], { columns: [[INT]] }), "missing 1");
  assert.equal(found([], rows, { columns: [[INT, "float"]] }), "extra 1");
});
