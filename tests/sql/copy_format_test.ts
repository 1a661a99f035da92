import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { analyze } from "../../src/sql/analyze.ts";

await loadModule();

const CASES: readonly [sql: string, format: string | undefined][] = [
  ["copy t to stdout", "text"],
  ["copy (select 1) to stdout with (format csv, header)", "csv"],
  ["copy t to stdout csv header", "csv"],
  ["copy t to stdout with binary", "binary"],
  ["copy t to stdout (format text, encoding 'utf8')", "text"],
  ["copy t to stdout (delimiter ';')", undefined],
  ["copy t to stdout (format csv, null 'x')", undefined],
  ["copy t to stdout with delimiter ','", undefined],
  ["select 1", undefined],
];

for (const [sql, format] of CASES) {
  Deno.test(`copyFormat: ${sql}`, () => {
    assert.equal(analyze(sql)?.shapes[0]?.copy, format);
  });
}

const LIMITS: readonly [options: string, limit: number][] = [
  ["", 3],
  ["csv", 3],
  ["csv header", 4],
  ["(format csv, header false)", 3],
  ["(format text, header match)", 4],
  ["(format binary)", 4],
];

for (const [options, limit] of LIMITS) {
  Deno.test(`framesOfCopy: LIMIT 3 ${options} is ${limit} messages`, () => {
    const sql =
      `copy (select a from t order by b limit 3) to stdout ${options}`;
    const shape = analyze(sql)?.shapes[0];
    assert.deepEqual([shape?.limited, shape?.limit], [true, limit]);
    assert.deepEqual(shape?.orderBy, ["b"]);
  });
}

Deno.test("a COPY of a table has no order, and one of what writes is a write", () => {
  assert.equal(analyze("copy t to stdout")?.shapes[0]?.orderBy, undefined);
  const sql = "copy (delete from t returning a) to stdout";
  assert.equal(analyze(sql)?.shapes[0]?.kind, "dml");
  assert.equal(analyze("copy t to stdout")?.shapes[0]?.kind, "read");
});
