import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import {
  joins,
  separatorsOf,
  withSeparators,
} from "../../src/sql/separators.ts";
import { OTHER_SHAPE } from "../../src/sql/shape.ts";

await loadModule();

const CASES: readonly [
  sql: string,
  separators: readonly (string | number)[] | undefined,
][] = [
  ["select string_agg(a, ', ') from t", [", "]],
  ["select STRING_AGG ( a , ',' ORDER BY b, c) from t", [","]],
  ["select string_agg(distinct f(a, 'x'), ';'::text) from t", [";"]],
  ["select string_agg(a, e'\\n'), string_agg(b, 'it''s') from t", [
    "\n",
    "it's",
  ]],
  ["select string_agg(a, $$ - $$) from t", [" - "]],
  ["select string_agg(a, $2) from t where b = $1", [2]],
  ["select array_to_string(array_agg(a[1]), '|', '?') from t", ["|"]],
  ["select pg_catalog.string_agg(a, /* , */ '/') from t -- 'x'", ["/"]],
  ["select xmlagg(a) from t", ["<"]],
  ["select 'string_agg(a, '';'')', string_agg(a, ',') from t", [","]],
  // What no text says
  ["select string_agg(a, '') from t", undefined],
  ["select string_agg(a, null) from t", undefined],
  ["select string_agg(a, chr(10)) from t", undefined],
  ["select string_agg(a, ',' || b) from t", undefined],
  ["select string_agg(a, u&'\\0041'), string_agg(b, ',') from t", undefined],
  ["select string_agg(a, e'\\x41') from t", undefined],
  ["select string_agg(a", undefined],
  ["select a from t", []],
];

for (const [sql, separators] of CASES) {
  Deno.test(`separatorsOf: ${sql}`, () => {
    const bytes = new TextEncoder().encode(sql);
    assert.deepEqual(separatorsOf(bytes, 0, bytes.length), separators);
  });
}

Deno.test("withSeparators: one shape for each list of separators, and a bound", () => {
  const shape = { ...OTHER_SHAPE, calls: ["string_agg"] };
  assert.ok(joins(shape));
  assert.ok(!joins(OTHER_SHAPE));
  const comma = withSeparators(shape, [","]);
  assert.deepEqual(comma.separators, [","]);
  assert.equal(withSeparators(shape, [","]), comma);
  assert.equal(withSeparators(shape, undefined), shape);
  for (let i = 0; i < 20; i++) withSeparators(shape, [`${i}`]);
  assert.equal(withSeparators(shape, ["another"]), shape);
  assert.equal(withSeparators(shape, [","]), comma);
});

Deno.test("withSeparators: a long list is unknown, and a variant holds no more than its own", () => {
  const shape = { ...OTHER_SHAPE, calls: ["string_agg"] };
  const long = ["-".repeat(64), "-".repeat(65)];
  assert.deepEqual(long.map((one) => withSeparators(shape, [one]).separators), [
    ["-".repeat(64)],
    undefined,
  ]);
  const many = Array.from({ length: 100 }, (_, i) => i);
  assert.equal(withSeparators(shape, many), shape);
  // Bind says what a parameter is: it is not known then, either.
  const bound = withSeparators(shape, [1]);
  assert.equal(withSeparators(bound, ["-".repeat(1_000_000)]), bound);
});
