import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { momentText } from "../../src/given/moment_text.ts";
import { analyze } from "../../src/sql/analyze.ts";

await loadModule();

const encode = (text: string) => new TextEncoder().encode(text);

function moved(sql: string): string | undefined {
  const calls = analyze(sql)?.shapes[0]?.momentCalls;
  const bytes = encode(`x${sql}x`);
  const text = calls &&
    momentText(bytes, 1, bytes.length - 1, calls, "$9");
  return text && new TextDecoder().decode(text);
}

const AGO = " OPERATOR(pg_catalog.-) $9::pg_catalog.interval)";

const MOVED: Readonly<Record<string, string>> = {
  "select 'é now()' from s where at > NOW ( ) -- now()\n and b = now":
    `select 'é now()' from s where at > ((pg_catalog.now()${AGO}) -- now()\n and b = now`,
  "select now(), 1 from s where at > pg_catalog.now()":
    `select now(), 1 from s where at > ((pg_catalog.now()${AGO})`,
  "select 1 from s where at > current_timestamp or b < Transaction_Timestamp()":
    `select 1 from s where at > ((pg_catalog.now()${AGO}) or b < ((pg_catalog.transaction_timestamp()${AGO})`,
  "select 1 from s where at > localtimestamp and d = current_date":
    `select 1 from s where at > ((pg_catalog.now()${AGO}::pg_catalog.timestamp) and d = ((pg_catalog.now()${AGO}::pg_catalog.date)`,
  "delete from s where at < clock_timestamp() - statement_timestamp()":
    `delete from s where at < ((pg_catalog.clock_timestamp()${AGO}) - ((pg_catalog.statement_timestamp()${AGO})`,
};

Deno.test("momentText: each moment in a condition is moved, and nothing else", () => {
  for (const [sql, text] of Object.entries(MOVED)) {
    assert.equal(moved(sql), text, sql);
    assert.ok(analyze(moved(sql) ?? "") !== undefined, `${sql} parses`);
  }
});

Deno.test("momentText: a text with other places than its shape is left", () => {
  const calls = analyze("select 1 from s where at > now()")?.shapes[0]
    ?.momentCalls;
  assert.ok(calls);
  const bytes = encode('select 1 from s where at > "now"()');
  assert.equal(momentText(bytes, 0, bytes.length, calls, "$1"), undefined);
});
