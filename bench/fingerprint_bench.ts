/**
 * Finding a statement's shape by its text (`src/sql/shape_cache.ts`): the
 * literal-free key, a hit, and a miss, which parses. Beside it a map by the
 * whole text, which is what a cache without the key would be: it never hits
 * where literals stand in the text, as in `pgbench -M simple`.
 *
 * Not measured: what the mirror worker does with the shape.
 *
 * ```
 * deno bench -A --no-check bench/fingerprint_bench.ts
 * ```
 *
 * @module
 */

import { fingerprintSync } from "libpg-query";
import { literalFreeKey } from "../src/sql/literal_free_key.ts";
import { shapeCache, sql } from "./support/statements.ts";

const TIMES = 1_000;

const SHORT = "SELECT abalance FROM pgbench_accounts WHERE aid = 23665;";
const LONG = `SELECT c.name, count(*) AS orders, sum(i.quantity * i.price)
FROM customers c JOIN orders o ON o.customer_id = c.id
JOIN order_items i ON i.order_id = o.id
WHERE o.created_at >= '2026-01-01' AND o.status IN ('paid', 'sent', 'returned')
AND c.country = 'PT' GROUP BY c.name HAVING count(*) > 3
ORDER BY 3 DESC, c.name LIMIT 20`;

/** What nobody reads is not computed. */
let seen = 0;

function hits(name: string, text: string): void {
  const group = `fingerprint: ${name} × 1000`;
  const bytes = sql(text);
  const decoder = new TextDecoder();
  const byText = new Map([[text, 1]]);
  const cache = shapeCache();
  cache.get(bytes, 0, bytes.length);
  Deno.bench({
    name: "a map by the whole text, hit",
    group,
    baseline: true,
    fn() {
      for (let i = 0; i < TIMES; i++) {
        seen += byText.get(decoder.decode(bytes)) ?? 0;
      }
    },
  });
  Deno.bench("the literal-free key alone", { group }, () => {
    for (let i = 0; i < TIMES; i++) {
      seen += literalFreeKey(bytes, 0, bytes.length);
    }
  });
  Deno.bench("ShapeCache.get, hit", { group }, () => {
    for (let i = 0; i < TIMES; i++) {
      seen += cache.get(bytes, 0, bytes.length).shapes.length;
    }
  });
}

function misses(name: string, text: string): void {
  const group = `fingerprint: ${name}`;
  const bytes = sql(text);
  Deno.bench({
    name: "libpg_query's fingerprint alone",
    group,
    baseline: true,
    fn() {
      seen += fingerprintSync(text).length;
    },
  });
  Deno.bench("ShapeCache.get, miss", { group }, () => {
    seen += shapeCache().get(bytes, 0, bytes.length).shapes.length;
  });
}

hits(`${SHORT.length} bytes (pgbench -S)`, SHORT);
hits(`${LONG.length} bytes (a report)`, LONG);
misses(`${SHORT.length} bytes, the first time`, SHORT);
misses(`${LONG.length} bytes, the first time`, LONG);

addEventListener("unload", () => {
  if (seen === 0) throw new Error("Nothing was read");
});
