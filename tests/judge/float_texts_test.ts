import assert from "node:assert/strict";
import {
  areFloatTextsAlike,
  floatTextKey,
} from "../../src/judge/float_texts.ts";

const ALIKE = [
  ["0.30000000000000004", "0.3"],
  ["2.9999999999999996", "3"],
  ['{"s": 0.1234567890123456, "n": 7}', '{"s": 0.1234567890123459, "n": 7}'],
  ["1.2345678901234567e+30 USD", "1.2345678901234569e+30 USD"],
  ["0.300000000000001", "0.3"],
  ["-1.5707963267948966 to 2", "-1.570796326794897 to 2"],
  ["same", "same"],
];
const OTHERS = [
  ["0.30000000000000004", "0.31"],
  ["0.3", "0.30"],
  ['{"s": 0.1234567890123456, "n": 7}', '{"s": 0.1234567890123459, "n": 8}'],
  ["123456789012.45", "123456789012.46"],
  ["9007199254740993", "9007199254740994"],
  ["0.1234567890123456 USD", "0.1234567890123459 EUR"],
  ["0.1234567890123456, 1", "0.1234567890123459"],
  ["2024-01-01", "2024-01-02"],
];

Deno.test("areFloatTextsAlike: texts may differ in the last digits of floats, and in nothing else", () => {
  for (const [a = "", b = ""] of ALIKE) {
    assert.equal(areFloatTextsAlike(a, b), true, `${a} | ${b}`);
    assert.equal(areFloatTextsAlike(b, a), true, `${b} | ${a}`);
    assert.equal(floatTextKey(a), floatTextKey(b), `${a} | ${b}`);
  }
  for (const [a = "", b = ""] of OTHERS) {
    assert.equal(areFloatTextsAlike(a, b), false, `${a} | ${b}`);
    assert.equal(areFloatTextsAlike(b, a), false, `${b} | ${a}`);
  }
});

Deno.test("areFloatTextsAlike: a text of any kind is read in little time", () => {
  for (
    const text of [
      "1".repeat(60_000),
      "1.".repeat(30_000),
      "1e".repeat(30_000),
      "-".repeat(60_000),
    ]
  ) {
    const start = performance.now();
    areFloatTextsAlike(text, `${text}x`);
    areFloatTextsAlike(text, text.replace("1", "2"));
    floatTextKey(text);
    const tookMs = performance.now() - start;
    assert.ok(tookMs < 1_000, `${text.slice(0, 9)}: ${tookMs} ms`);
  }
});
