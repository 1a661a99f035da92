import assert from "node:assert/strict";
import {
  areFloatsAlike,
  numberOf,
  plainNumber,
  plainNumeric,
} from "../../src/judge/number_values.ts";
import { FLOAT4, FLOAT8, INT8, NUMERIC } from "../../src/judge/type_oids.ts";

Deno.test("areFloatsAlike: the last digits may differ, and no more", () => {
  assert.ok(areFloatsAlike(0.1 + 0.2, 0.3, FLOAT8));
  assert.ok(!areFloatsAlike(1, 1 + 1e-8, FLOAT8));
  assert.ok(areFloatsAlike(16_777_216, 16_777_220, FLOAT4));
  assert.ok(!areFloatsAlike(100, 101, FLOAT4));
  assert.ok(!areFloatsAlike(0, 1e-30, FLOAT8));
});

Deno.test("plainNumber: 1.0 is 1.00, and 10 is not 1", () => {
  assert.equal(plainNumber("1.0"), plainNumber("1.00"));
  assert.equal(plainNumber("1.50"), plainNumber("1.5"));
  assert.equal(plainNumber("10"), "10");
  assert.notEqual(plainNumber("10"), plainNumber("1"));
  assert.notEqual(plainNumber("1e10"), plainNumber("1e1"));
  assert.equal(plainNumber("-10.00"), "-10");
  assert.equal(plainNumber("0.0"), "0");
  assert.equal(plainNumber("1."), "1");
});

Deno.test("plainNumber: zeros within a number are passed once", () => {
  const zeros = "0".repeat(2_000_000);
  assert.equal(plainNumber(`1.${zeros}1`), `1.${zeros}1`);
  assert.equal(plainNumber(`1.${zeros}`), "1");
});

Deno.test("areFloatsAlike: infinity and NaN are alike to themselves, a sign is none of the last digits", () => {
  assert.ok(areFloatsAlike(NaN, NaN, FLOAT8));
  assert.ok(areFloatsAlike(Infinity, Infinity, FLOAT8));
  assert.ok(!areFloatsAlike(Infinity, 1e300, FLOAT8));
  assert.ok(!areFloatsAlike(5, Infinity, FLOAT4));
  assert.ok(!areFloatsAlike(Infinity, -Infinity, FLOAT8));
  assert.ok(!areFloatsAlike(NaN, 0, FLOAT8));
  assert.ok(!areFloatsAlike(0, NaN, FLOAT8));
  assert.ok(!areFloatsAlike(1e20, -1e20, FLOAT4));
});

Deno.test("numberOf: text and binary tell the same number", () => {
  const text = (value: string) =>
    numberOf(new TextEncoder().encode(value), NUMERIC, false);
  assert.equal(text("-12.5"), -12.5);
  assert.ok(Number.isNaN(text("NaN")));
  assert.equal(text("-Infinity"), -Infinity);
  assert.equal(text(""), undefined);
  assert.equal(text("x"), undefined);
  const binary = (...words: number[]) => {
    const view = new DataView(new ArrayBuffer(2 * words.length));
    words.forEach((word, i) => view.setUint16(2 * i, word));
    return new Uint8Array(view.buffer);
  };
  // 12345.678 is 1, 2345, 6780 to the base of 10,000.
  const numeric = (...words: number[]) =>
    numberOf(binary(...words), NUMERIC, true);
  assert.equal(numeric(3, 1, 0, 3, 1, 2345, 6780), 12_345.678);
  assert.equal(numeric(1, 0, 0x4000, 0, 7), -7);
  assert.equal(numeric(0, 0, 0, 0), 0);
  assert.ok(Number.isNaN(numeric(0, 0, 0xc000, 0)));
  assert.equal(numeric(0, 0, 0xf000, 0), -Infinity);
  assert.equal(numeric(2, 0, 0, 0, 7), undefined);
  assert.equal(numberOf(binary(0, 0, 0, 258), INT8, true), 258);
});

Deno.test("plainNumeric: 5 is 5.00, and neither 5.01 nor -5 nor 50000", () => {
  const numeric = (
    weight: number,
    sign: number,
    scale: number,
    ...digits: number[]
  ) => {
    const words = [digits.length, weight, sign, scale, ...digits];
    return Uint8Array.from(words.flatMap((word) => [word >> 8, word & 0xff]));
  };
  const five = plainNumeric(numeric(0, 0, 0, 5));
  assert.deepEqual(plainNumeric(numeric(0, 0, 2, 5)), five);
  assert.deepEqual(plainNumeric(numeric(0, 0, 4, 5, 0)), five);
  for (
    const other of [
      numeric(0, 0, 2, 5, 100),
      numeric(0, 0x4000, 0, 5),
      numeric(1, 0, 0, 5),
      numeric(0, 0, 0),
    ]
  ) assert.notDeepEqual(plainNumeric(other), five);
  const short = Uint8Array.of(0, 1);
  assert.deepEqual(plainNumeric(short), short);
});
