import assert from "node:assert/strict";
import {
  nextNumber,
  numbersAhead,
  numberText,
} from "../../src/given/own_numbers.ts";

Deno.test("numbersAhead: the one number in which two texts differ", () => {
  const cases: readonly [string, string, number | undefined][] = [
    ["17", "12", 5],
    ["12", "17", -5],
    ["-12", "-17", 5],
    ["3", "-2", 5],
    ["9007199254740993", "9007199254740992", 1],
    ["A-0017", "A-0012", 5],
    ["10", "9", 1],
    ["7", "7", 0],
    ["2026-7", "2026-6", 1],
    ["A-17", "B-12", undefined],
    ["1-17", "2-12", undefined],
    ["17", "", undefined],
    ["abc", "abd", undefined],
  ];
  for (const [one, other, expected] of cases) {
    assert.equal(numbersAhead(one, other), expected, `${one} and ${other}`);
  }
});

Deno.test("numberText: integers of each size, and texts as they are", () => {
  const int8 = '"pg_catalog"."int8"';
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, 1n << 40n);
  assert.equal(numberText(bytes, int8, true), `${2 ** 40}`);
  assert.equal(numberText(Uint8Array.of(0, 0, 1, 0), int8, true), "256");
  assert.equal(numberText(Uint8Array.of(1, 0), int8, true), "256");
  const text = new TextEncoder().encode("A-17");
  assert.equal(numberText(text, '"pg_catalog"."text"', true), "A-17");
  assert.equal(numberText(text, '"pg_catalog"."text"', false), "A-17");
});

Deno.test("nextNumber: one draw of one sequence, and nothing else", () => {
  const found = nextNumber("'A-' || nextval('public.\"s'' $&\"'::regclass)");
  assert.ok(found !== undefined);
  assert.ok(found.startsWith("'A-' || (SELECT coalesce("));
  assert.ok(found.includes("= 'public.\"s'' $&\"'::regclass"));
  assert.ok(!found.includes("nextval"));
  const others = [
    "nextval('s'::regclass) + nextval('s'::regclass)",
    "nextval(name_of_sequence())",
    "now()",
  ];
  for (const text of others) assert.equal(nextNumber(text), undefined, text);
});
