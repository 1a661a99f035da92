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

const CASES: readonly [
  primary: Given[],
  mirror: Given[],
  text: string | null,
][] = [
  [[["a", 20_001]], [["a", 30_001]], null],
  [
    [["a", 20_000]],
    [["a", 30_000]],
    "column a: type mood on the primary, app.mood on the mirror",
  ],
  [
    [["a", 23], ["b", 20_000]],
    [["a", 23], ["b", 25]],
    "column b: type mood on the primary, text on the mirror",
  ],
  [
    [["a", 20_002]],
    [["a", 20]],
    "column a: type own type on the primary, int8 on the mirror",
  ],
  [
    [["a", 23], ["b", 23]],
    [["a", 23], ["c", 23]],
    "column b: name b on the primary, c on the mirror",
  ],
  [
    [["a", 23, 1]],
    [["a", 23]],
    "column a: format binary on the primary, text on the mirror",
  ],
  [
    [["a", 23]],
    [["a", 23], ["b", 23]],
    "columns 1 on the primary, 2 on the mirror",
  ],
];

Deno.test("columnDifference: names the first column that differs, and what each side has", () => {
  for (const [primary, mirror, text] of CASES) {
    const a = description(...primary);
    const b = description(...mirror);
    assert.equal(columnDifference(a, b, types).place, text);
    assert.equal(haveEqualDescriptions(a, b, types), text === null);
  }
});

Deno.test("haveEqualDescriptions: without names all own types are one", () => {
  const a = description(["a", 20_000]);
  const b = description(["a", 30_000]);
  assert.equal(haveEqualDescriptions(a, b), true);
  assert.equal(haveEqualDescriptions(a, description(["a", 25])), false);
});
