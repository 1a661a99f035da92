import assert from "node:assert/strict";
import { TypePair } from "../../src/catalog/mod.ts";
import { haveEqualDescriptions } from "../../src/judge/answer.ts";
import { columnDifference } from "../../src/judge/column_difference.ts";
import { concat, int16, int32, message } from "../support/wire_client.ts";

type Given = [name: string, typeOid: number, format?: number];

function description(...columns: Given[]): Uint8Array {
  return message(
    "T",
    int16(columns.length),
    ...columns.map(([name, typeOid, format = 0]) =>
      concat([
        new TextEncoder().encode(`${name}\0`),
        int32(0),
        int16(0),
        int32(typeOid),
        int16(4),
        int32(-1),
        int16(format),
      ])
    ),
  );
}

const types = new TypePair();
types.primary.learn([["type", "20000", "mood"], ["type", "20001", "mood[]"]]);
types.mirror.learn([["type", "30000", "app.mood"], [
  "type",
  "30001",
  "mood[]",
]]);

const CASES: readonly [primary: Given[], mirror: Given[], text: unknown][] = [
  [[["a", 20_001]], [["a", 30_001]], undefined],
  [[["a", 20_000]], [["a", 30_000]], [
    "column a (number 1): type",
    "mood",
    "app.mood",
  ]],
  [[["a", 23], ["b", 20_000]], [["a", 23], ["b", 25]], [
    "column b (number 2): type",
    "mood",
    "text",
  ]],
  [[["a", 20_002]], [["a", 20]], [
    "column a (number 1): type",
    "own type",
    "int8",
  ]],
  [[["a", 23]], [["b", 23]], ["column a (number 1): name", "a", "b"]],
  [[["a", 23, 1]], [["a", 23]], [
    "column a (number 1): format",
    "binary",
    "text",
  ]],
  [[["a", 23]], [["a", 23], ["b", 23]], ["number of columns", "1", "2"]],
];

Deno.test("columnDifference: names the first column that differs, and what each side has", () => {
  for (const [primary, mirror, text] of CASES) {
    const a = description(...primary);
    const b = description(...mirror);
    const found = columnDifference(a, b, types);
    const expected = text ?? [null, null, null];
    assert.deepEqual([found.place, found.primary, found.mirror], expected);
    assert.equal(haveEqualDescriptions(a, b, types), text === undefined);
  }
});

Deno.test("haveEqualDescriptions: without names all own types are one", () => {
  const a = description(["a", 20_000]);
  const b = description(["a", 30_000]);
  assert.equal(haveEqualDescriptions(a, b), true);
  assert.equal(haveEqualDescriptions(a, description(["a", 25])), false);
});
