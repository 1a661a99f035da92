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
