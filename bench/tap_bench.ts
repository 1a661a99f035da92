/**
 * Watching a session (`src/proxy/tap.ts`): cutting both directions into
 * messages alone, the tap of a session without a mirror, and the tap with a
 * capture, which copies the client's bytes, digests the reply and sends a
 * record through the ring. The counters of the ledger are counted, as in a
 * proxy worker.
 *
 * Not measured: the sockets, the clock (both sides are given their times), and
 * the mirror worker's end: records are taken out of the ring and dropped.
 *
 * ```
 * deno bench -A --no-check bench/tap_bench.ts
 * ```
 *
 * @module
 */

import { Framer } from "../src/wire/mod.ts";
import { accountRows, type Exchange, SELECT, TPCB } from "./support/bytes.ts";
import { ledgerProbes } from "./support/ledger.ts";
import { Tapped } from "./support/tapped.ts";

const TIMES = 1_000;

const client = new Framer();
const server = new Framer();

function cut(framer: Framer, chunk: Uint8Array): void {
  for (let at = 0; at < chunk.length;) {
    at = framer.step(chunk, at, chunk.length);
  }
}

function compare(group: string, exchanges: readonly Exchange[]): void {
  Deno.bench({
    name: "cut into messages, nothing more",
    group,
    baseline: true,
    fn() {
      for (let i = 0; i < TIMES; i++) {
        for (const { request, reply } of exchanges) {
          cut(client, request);
          cut(server, reply);
        }
      }
    },
  });
  const alone = new Tapped(false);
  Deno.bench("tap, no mirror", { group }, () => {
    for (let i = 0; i < TIMES; i++) alone.run(exchanges);
  });
  const mirrored = new Tapped(true, ledgerProbes());
  Deno.bench("tap and capture", { group }, () => {
    for (let i = 0; i < TIMES; i++) mirrored.run(exchanges);
  });
}

compare("tap: pgbench -S, simple × 1000", SELECT.simple);
compare("tap: pgbench -S, extended × 1000", SELECT.extended);
compare("tap: pgbench -S, prepared × 1000", SELECT.prepared);
compare("tap: pgbench, TPC-B-like × 1000", TPCB);

const rows = accountRows(64 * 1024);
const group = "tap: 64 KiB of a large result";

Deno.bench({
  name: "cut into messages, nothing more",
  group,
  baseline: true,
  fn: () => cut(server, rows),
});

for (const mirrored of [false, true]) {
  const tapped = new Tapped(mirrored);
  const [{ request } = { request: rows }] = SELECT.simple;
  tapped.tap.client(request, request.length, 0);
  // Beyond `mirror_compare_bytes` after the first time: rows are only counted.
  Deno.bench(
    mirrored ? "tap and capture" : "tap, no mirror",
    { group },
    () => tapped.reply(rows),
  );
}
