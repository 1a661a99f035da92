/**
 * Finding the messages in a stream (`src/wire/framer.ts`): what relay, tap and
 * lane do with every chunk before anything else. Beside it a plain loop that
 * looks at every byte, which is what the framer must not do.
 *
 * Not measured: the system calls that bring the bytes, and what is done with
 * the messages that are found.
 *
 * ```
 * deno bench -A --no-check bench/framer_bench.ts
 * ```
 *
 * @module
 */

import { Framer } from "../src/wire/mod.ts";
import { accountRows, chunksOf, largeRow, SELECT } from "./support/bytes.ts";

const TIMES = 1_000;
const CHUNK_BYTES = 64 * 1024;

const replies = SELECT.simple.map(({ reply }) => reply);
const rows = chunksOf(accountRows(CHUNK_BYTES), CHUNK_BYTES);
const wide = chunksOf(largeRow(1024 * 1024), CHUNK_BYTES);
const framer = new Framer();

/** What nobody reads is not computed. */
let seen = 0;

function everyByte(chunks: readonly Uint8Array[]): void {
  for (let i = 0; i < chunks.length; i++) {
    const chunk = chunks[i] as Uint8Array; // below length
    let sum = 0;
    for (let at = 0; at < chunk.length; at++) sum += chunk[at] as number;
    seen += sum;
  }
}

function headers(chunks: readonly Uint8Array[]): void {
  let messages = 0;
  for (let i = 0; i < chunks.length; i++) {
    const chunk = chunks[i] as Uint8Array; // below length
    for (let at = 0; at < chunk.length;) {
      at = framer.step(chunk, at, chunk.length);
      if (framer.finished) messages++;
    }
  }
  seen += messages;
}

function compare(
  group: string,
  chunks: readonly Uint8Array[],
  times: number,
): void {
  Deno.bench({
    name: "a plain loop over the bytes",
    group,
    baseline: true,
    fn() {
      for (let i = 0; i < times; i++) everyByte(chunks);
    },
  });
  Deno.bench("Framer.step", { group }, () => {
    for (let i = 0; i < times; i++) headers(chunks);
  });
}

compare("framer: a reply of pgbench -S, 66 bytes × 1000", replies, TIMES);
compare("framer: 64 KiB of rows of 107 bytes", rows, 1);
compare("framer: a row of 1 MiB in 64 KiB chunks", wide, 1);

addEventListener("unload", () => {
  if (seen === 0) throw new Error("Nothing was read");
});
