import assert from "node:assert/strict";
import {
  areFloatsAlike,
  areJoinedAlike,
  DATE,
  FLOAT4,
  FLOAT8,
  JSON_TYPE,
  JSONB,
  laterUs,
  listText,
  plainNumber,
  TEXT,
  TIME,
  TIMESTAMP,
  TIMESTAMPTZ,
  TIMETZ,
  timeUs,
} from "../../src/judge/cell_values.ts";
import { concat, int32 } from "../support/wire_client.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("timeUs: text and binary tell the same moment", () => {
  const at = Date.UTC(2024, 1, 29, 13, 5, 7) * 1_000 + 123_456;
  const text = (value: string, type: number) =>
    timeUs(bytes(value), type, false);
  assert.equal(text("2024-02-29 13:05:07.123456+00", TIMESTAMPTZ), at);
  assert.equal(text("2024-02-29 18:35:07.123456+05:30", TIMESTAMPTZ), at);
  assert.equal(text("2024-02-29 13:05:07.123456", TIMESTAMP), at);
  assert.equal(text("2024-02-29T13:05:07.123456", TIMESTAMP), at);
  assert.equal(
    text("2024-02-29", DATE),
    Date.UTC(2024, 1, 29) * 1_000,
  );
  assert.equal(text("00:00:01.5", TIME), 1_500_000);
  assert.equal(text("01:00:00-02", TIMETZ), 3 * 3_600_000_000);
  const binary = new Uint8Array(8);
  new DataView(binary.buffer).setBigInt64(
    0,
    BigInt(at) - BigInt(Date.UTC(2000, 0, 1)) * 1_000n,
  );
  assert.equal(timeUs(binary, TIMESTAMPTZ, true), at);
  const zoned = concat([binary.slice(), int32(7_200)]);
  new DataView(zoned.buffer).setBigInt64(0, 3_600_000_000n);
  assert.equal(timeUs(zoned, TIMETZ, true), 3 * 3_600_000_000);
  assert.equal(timeUs(int32(1), DATE, true), Date.UTC(2000, 0, 2) * 1_000);
});

Deno.test("timeUs: what is not in ISO, infinite, cut short or before Christ is not read", () => {
  for (
    const text of ["29/02/2024", "infinity", "Thu Feb 29", "0044-03-15 BC"]
  ) {
    assert.equal(timeUs(bytes(text), TIMESTAMP, false), undefined, text);
  }
  assert.equal(timeUs(bytes("abc"), TIMESTAMP, true), undefined);
  const infinity = new Uint8Array(8).fill(0xff);
  infinity[0] = 0x7f;
  assert.equal(timeUs(infinity, TIMESTAMP, true), undefined);
});

Deno.test("laterUs: a time of day goes the shorter way around midnight", () => {
  const hour = 3_600_000_000;
  assert.equal(laterUs(23.5 * hour, 0.5 * hour, TIME), hour);
  assert.equal(laterUs(0.5 * hour, 23.5 * hour, TIME), -hour);
  assert.equal(laterUs(1, 3, TIMESTAMP), 2);
});

Deno.test("areFloatsAlike: the last digits may differ, and no more", () => {
  assert.ok(areFloatsAlike(0.1 + 0.2, 0.3, FLOAT8));
  assert.ok(!areFloatsAlike(1, 1 + 1e-8, FLOAT8));
  assert.ok(areFloatsAlike(16_777_216, 16_777_220, FLOAT4));
  assert.ok(!areFloatsAlike(100, 101, FLOAT4));
  assert.ok(!areFloatsAlike(0, 1e-30, FLOAT8));
});

Deno.test("listText: equal for the same elements in any order, at any depth", () => {
  const same: readonly [a: string, b: string, type: number][] = [
    ["{1,2,3}", "{3,1,2}", 1007],
    ['{"a,b","c\\"}",NULL}', '{NULL,"c\\"}","a,b"}', 1009],
    ["{{1,2},{3,4}}", "{{3,4},{1,2}}", 1007],
    ["[1, 2]", "[2, 1]", JSON_TYPE],
    ['[{"a": [1, 2]}, "x"]', '["x",{"a":[2,1]}]', JSONB],
    ["a, b, c", "c, a, b", TEXT],
  ];
  for (const [a, b, type] of same) {
    const [one, other] = [a, b].map((text) =>
      listText(bytes(text), type, false)
    );
    assert.ok(one !== undefined);
    assert.equal(one, other, `${a} | ${b}`);
  }
  const others: readonly [a: string, b: string, type: number][] = [
    ["{1,2,3}", "{1,2,4}", 1007],
    ["{1,1,2}", "{1,2,2}", 1007],
    ["{{1,2},{3,4}}", "{{1,3},{2,4}}", 1007],
    ['{"a,b"}', "{a,b}", 1009],
    ['[{"a":1,"b":2}]', '[{"a":2,"b":1}]', JSON_TYPE],
    ["a, b", "a, c", TEXT],
  ];
  for (const [a, b, type] of others) {
    assert.notEqual(
      listText(bytes(a), type, false),
      listText(bytes(b), type, false),
      `${a} | ${b}`,
    );
  }
});

Deno.test("listText: binary arrays, and broken ones", () => {
  const array = (...values: number[]) =>
    concat([
      int32(1),
      int32(0),
      int32(23),
      int32(values.length),
      int32(1),
      ...values.flatMap((value) => [int32(4), int32(value)]),
    ]);
  const text = (cell: Uint8Array) => listText(cell, 1007, true);
  assert.equal(text(array(1, 2, 3)), text(array(3, 1, 2)));
  assert.notEqual(text(array(1, 2, 3)), text(array(1, 2, 4)));
  assert.equal(text(array(1).subarray(0, 7)), undefined);
  assert.equal(text(concat([array(1, 2).subarray(0, -1)])), undefined);
  assert.equal(listText(bytes("}{"), 1007, false), undefined);
});

Deno.test("areJoinedAlike: the parts of one separator, and not letters that changed places", () => {
  const alike = (a: string, b: string) => areJoinedAlike(bytes(a), bytes(b));
  assert.ok(alike("x-1, y-2", "y-2, x-1"));
  assert.ok(alike("a b;c", "c;a b"));
  assert.ok(!alike("foo bar, baz", "foo baz, bar"));
  assert.ok(!alike("a1,b2", "a2,b1"));
});

Deno.test("plainNumber: 1.0 is 1.00, and 10 is not 1", () => {
  assert.equal(plainNumber("1.0"), plainNumber("1.00"));
  assert.equal(plainNumber("1.50"), plainNumber("1.5"));
  assert.equal(plainNumber("10"), "10");
  assert.notEqual(plainNumber("10"), plainNumber("1"));
  assert.notEqual(plainNumber("1e10"), plainNumber("1e1"));
});
