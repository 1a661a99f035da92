import assert from "node:assert/strict";
import type { Column } from "../../src/judge/columns.ts";
import { mayHoldOids, normalRow } from "../../src/judge/own_types.ts";
import { concat, int16, int32 } from "../support/wire_client.ts";

const RECORD = 2249;
const TEXT = 25;
/** The primary's types are 20,000 and on, the mirror's 30,000 and on: a number for both. */
const mark = (oid: number) => 10_000 + oid % 10_000;

function array(element: number, ...values: (Uint8Array | undefined)[]) {
  return concat([
    int32(values.length === 0 ? 0 : 1),
    int32(values.includes(undefined) ? 1 : 0),
    int32(element),
    ...values.length === 0 ? [] : [int32(values.length), int32(1)],
    ...values.map(sized),
  ]);
}

function record(...fields: [oid: number, value: Uint8Array | undefined][]) {
  return concat([
    int32(fields.length),
    ...fields.flatMap(([oid, value]) => [int32(oid), sized(value)]),
  ]);
}

function sized(value: Uint8Array | undefined): Uint8Array {
  return value === undefined ? int32(-1) : concat([int32(value.length), value]);
}

const text = (value: string) => new TextEncoder().encode(value);

/** Values whose own types are numbered from `base` on. */
const VALUES: readonly [
  name: string,
  type: number,
  of: (base: number) => Uint8Array,
][] = [
  ["an array", 16_500, (base) => array(base, text("sad"), undefined)],
  ["an empty array", 16_500, (base) => array(base)],
  [
    "a composite",
    16_500,
    (base) => record([base, text("sad")], [23, int32(7)], [TEXT, undefined]),
  ],
  ["a record", RECORD, (base) => record([base + 1, text("x")])],
  ["a record of nothing own", RECORD, () => record([TEXT, text("x")])],
  [
    "an array of composites",
    16_500,
    (base) =>
      array(
        base,
        record([base + 1, text("a")]),
        undefined,
        record([23, int32(1)]),
      ),
  ],
  [
    "a composite with an array",
    16_500,
    (base) =>
      record([base, array(base + 1, text("a"))], [
        2287,
        array(RECORD, record([base, text("b")])),
      ]),
  ],
  ["a regtype", 2206, (base) => int32(base)],
  ["regclasses", 2210, (base) => array(2205, int32(base), int32(1259))],
  [
    "two dimensions",
    16_500,
    (base) =>
      concat([
        int32(2),
        int32(0),
        int32(base),
        int32(1),
        int32(1),
        int32(2),
        int32(1),
        sized(text("a")),
        sized(text("b")),
      ]),
  ],
];

/** A binary value as a row of its own. */
function normalCell(
  cell: Uint8Array,
  typeOid: number,
  mark: (oid: number) => number,
): Uint8Array {
  const row = concat([int16(1), sized(cell)]);
  const column = { name: "a", typeOid, isBinary: true };
  const normal = normalRow(row, [column], mark);
  return normal === row ? cell : normal.subarray(row.length - cell.length);
}

Deno.test("normalRow: values of own types are equal if their types' names are", () => {
  for (const [name, type, of] of VALUES) {
    const theirs = of(20_000);
    const before = theirs.slice();
    const a = normalCell(theirs, type, mark);
    const b = normalCell(of(30_000), type, mark);
    assert.deepEqual(a, b, name);
    assert.deepEqual(theirs, before, "the cell itself is left as it is");
    if (name.includes("nothing own")) assert.equal(a, theirs);
    else assert.notDeepEqual(a, theirs, name);
  }
});

Deno.test("normalRow: another type, and another value, stay different", () => {
  const pairs: readonly [Uint8Array, Uint8Array][] = [
    [array(20_000, text("a")), array(30_001, text("a"))],
    [array(20_000, text("a")), array(30_000, text("b"))],
    [array(20_000, text("a")), array(TEXT, text("a"))],
    [record([20_000, text("a")]), record([30_001, text("a")])],
    [record([20_000, text("a")]), record([TEXT, text("a")])],
    [
      array(20_000, record([20_001, text("a")])),
      array(30_000, record([30_002, text("a")])),
    ],
  ];
  for (const [a, b] of pairs) {
    assert.notDeepEqual(
      normalCell(a, 16_500, mark),
      normalCell(b, 16_500, mark),
    );
  }
});

Deno.test("normalRow: what is no whole array or record is left as it is", () => {
  const whole = [
    array(20_000, record([20_001, text("abc")]), undefined),
    record([20_000, array(20_001, text("abc"))], [TEXT, text("x")]),
  ];
  for (const value of whole) {
    for (let length = 0; length < value.length; length++) {
      const part = value.subarray(0, length);
      assert.equal(normalCell(part, 16_500, mark), part, `${length}`);
    }
    const longer = concat([value, new Uint8Array(1)]);
    assert.equal(normalCell(longer, 16_500, mark), longer);
  }
  // Values of other types may look like one.
  for (const type of [TEXT, 17, 1009]) {
    const value = array(20_000, text("a"));
    assert.equal(normalCell(value, type, mark), value);
  }
});

Deno.test("normalRow: bytes of chance change no length, end, and stay equal if they are", () => {
  let seed = 4711;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (seed >> 8) % below;
  };
  const grow = (depth: number): Uint8Array => {
    const value = () => random(4) === 0 ? undefined : grow(depth + 1);
    const oid = () =>
      [TEXT, RECORD, 2287, 2205, 20_000 + random(9)][random(5)] ?? 0;
    if (depth > 5 || random(3) === 0) {
      return Uint8Array.from({ length: random(12) }, () => random(256));
    }
    const values = Array.from({ length: random(4) }, value);
    return random(2) === 0
      ? array(oid(), ...values)
      : record(...values.map((one) => [oid(), one] as [number, typeof one]));
  };
  for (let i = 0; i < 20_000; i++) {
    const cell = grow(0);
    for (let flips = random(3); flips > 0 && cell.length > 0; flips--) {
      cell[random(cell.length)] = random(256);
    }
    const type = [RECORD, 2287, 2205, 16_500][random(4)] as number; // below four
    const a = normalCell(cell, type, mark);
    assert.equal(a.length, cell.length);
    assert.deepEqual(normalCell(cell.slice(), type, mark), a);
  }
});

Deno.test("normalRow: records in records without end are looked into to a depth", () => {
  const nested = (depth: number) => {
    let value = record([20_000, text("a")]);
    for (let i = 0; i < depth; i++) value = record([RECORD, value]);
    return value;
  };
  const deep = nested(30);
  assert.notEqual(normalCell(deep, RECORD, mark), deep);
  const deeper = nested(2_000);
  assert.equal(normalCell(deeper, RECORD, mark), deeper);
});

Deno.test("normalRow: only columns that may hold OIDs are looked into", () => {
  const columns: Column[] = [
    { name: "a", typeOid: 16_500, isBinary: true },
    { name: "b", typeOid: 16_500, isBinary: false },
    { name: "c", typeOid: 17, isBinary: true },
    { name: "d", typeOid: 16_501, isBinary: true },
  ];
  assert.deepEqual(columns.map(mayHoldOids), [true, true, false, true]);
  const row = (base: number, other = base) =>
    concat([
      int16(4),
      sized(array(base, text("x"))),
      sized(text(`{${other}}`)),
      sized(array(other, text("x"))),
      sized(record([base, text("y")])),
    ]);
  const normal = normalRow(row(20_000, 7), columns, mark);
  assert.deepEqual(normal, normalRow(row(30_000, 7), columns, mark));
  assert.notDeepEqual(
    normalRow(row(20_000), columns, mark),
    normalRow(row(30_000), columns, mark),
    "text holds names, and other bytes are other text",
  );
  const names: Column[] = [{ name: "a", typeOid: 2206, isBinary: false }];
  const named = concat([int16(1), sized(text("mood"))]);
  assert.equal(normalRow(named, names, mark), named);
  const plain = row(TEXT);
  assert.equal(normalRow(plain, columns, mark), plain);
  for (let length = 0; length < plain.length; length++) {
    normalRow(row(20_000).subarray(0, length), columns, mark);
  }
});
