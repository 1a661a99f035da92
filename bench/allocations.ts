/**
 * Bytes that one operation of the hot path allocates, as a table: what the
 * garbage collector has to take away again. How it is measured, and how
 * exactly, stands in `support/allocated.ts`; the first rows are of known size
 * and show it.
 *
 * A tap is given its times as numbers with a fraction, as a proxy worker reads
 * them off the clock: V8 puts each into a box of 16 bytes wherever it hands
 * one to a function that it does not inline. "Not mirrored" is the measure for
 * what that alone takes.
 *
 * ```
 * deno task bench:allocations
 * ```
 *
 * @module
 */

import {
  createRing,
  ReplyDigest,
  RingConsumer,
  RingProducer,
} from "../src/record/mod.ts";
import { literalFreeKey } from "../src/sql/literal_free_key.ts";
import { Framer } from "../src/wire/mod.ts";
import { allocated } from "./support/allocated.ts";
import { accountRows, type Exchange, SELECT, TPCB } from "./support/bytes.ts";
import { judged } from "./support/judged.ts";
import { ledgerProbes } from "./support/ledger.ts";
import { selectReply, shapeCache, shapeOf, sql } from "./support/statements.ts";
import { COMPARE_BYTES, drain, Tapped } from "./support/tapped.ts";

/** What is not kept may never be made. */
let kept: unknown;

/** On 64 bits: three words that every object has, and one for the field. */
class Known {
  constructor(readonly field: unknown) {}
}

function digestOf(chunks: readonly Uint8Array[]): () => void {
  const framer = new Framer();
  const digest = new ReplyDigest(COMPARE_BYTES);
  return () => {
    for (let i = 0; i < chunks.length; i++) {
      const chunk = chunks[i] as Uint8Array; // below length
      for (let at = 0; at < chunk.length;) {
        at = framer.step(chunk, at, chunk.length);
        digest.step(framer, chunk, framer.bodyStart, at, 83);
      }
    }
    digest.clear();
  };
}

function framing(chunk: Uint8Array): () => void {
  const framer = new Framer();
  return () => {
    for (let at = 0; at < chunk.length;) {
      at = framer.step(chunk, at, chunk.length);
    }
  };
}

function ringOf(payload: number): () => void {
  const memory = createRing(4 * 1024 * 1024);
  const producer = new RingProducer(memory);
  const consumer = new RingConsumer(memory);
  const bytes = new Uint8Array(payload);
  return () => {
    const at = producer.reserve(payload);
    if (at < 0) throw new Error("The ring is full");
    producer.bytes.set(bytes, at);
    producer.commit();
    drain(consumer);
  };
}

function tapped(mirrored: boolean, exchanges: readonly Exchange[]): () => void {
  const session = new Tapped(mirrored, ledgerProbes());
  return () => session.run(exchanges);
}

const replies = (exchanges: readonly Exchange[]) =>
  exchanges.map(({ reply }) => reply);
const rows = accountRows(1024);
const bytes = new Uint8Array(100);
const probes = ledgerProbes();
const text = sql("SELECT abalance FROM pgbench_accounts WHERE aid = 23665;");
const shapes = shapeCache();
const shape = shapeOf("SELECT abalance FROM pgbench_accounts WHERE aid = 1");

const operations: readonly (readonly [name: string, run: () => void])[] = [
  ["known: nothing", () => {}],
  ["known: an object of one field, 32", () => void (kept = new Known(bytes))],
  [
    "known: an array of 1,000 bytes, 1,000 outside",
    () => void (kept = new Uint8Array(1_000)),
  ],
  ["subarray, what the hot path avoids", () => void (kept = bytes.subarray(1))],
  ["Framer: 1 KiB of rows", framing(rows)],
  ["ReplyDigest: pgbench -S", digestOf(replies(SELECT.simple))],
  ["ReplyDigest: pgbench, TPC-B-like", digestOf(replies(TPCB))],
  ["ReplyDigest: 1 KiB of rows", digestOf([rows])],
  ["ring: push and pop of 174 bytes", ringOf(174)],
  ["requestSeen", () => probes.requestSeen(0)],
  ["primaryStatement", () => probes.primaryStatement(0, 0.000_083)],
  ["tap, not mirrored: pgbench -S, simple", tapped(false, SELECT.simple)],
  ["tap, not mirrored: pgbench -S, extended", tapped(false, SELECT.extended)],
  ["tap, not mirrored: pgbench, TPC-B-like", tapped(false, TPCB)],
  ["tap and capture: pgbench -S, simple", tapped(true, SELECT.simple)],
  ["tap and capture: pgbench -S, extended", tapped(true, SELECT.extended)],
  ["tap and capture: pgbench -S, prepared", tapped(true, SELECT.prepared)],
  ["tap and capture: pgbench, TPC-B-like", tapped(true, TPCB)],
  [
    "mirror worker, literal-free key",
    () => void (kept = literalFreeKey(text, 0, text.length)),
  ],
  [
    "mirror worker, ShapeCache.get: hit",
    () => void (kept = shapes.get(text, 0, text.length)),
  ],
  [
    "mirror worker, Judge.pair: equal",
    judged(shape, selectReply(), selectReply()),
  ],
];

console.log("| operation | heap bytes | bytes outside |");
console.log("| --- | ---: | ---: |");
for (const [name, run] of operations) {
  const { heapBytes, bufferBytes } = allocated(name, run);
  console.log(
    `| ${name} | ${heapBytes.toFixed(1)} | ${bufferBytes.toFixed(1)} |`,
  );
}
if (kept === undefined) throw new Error("Nothing was made");
