/**
 * The digest of a reply (`src/record/reply_digest.ts`): of the shortest one, of many rows of
 * about a hundred bytes, and of one large row, as far as it is hashed
 * (`mirror_compare_bytes`) and beyond. Beside it a plain loop that adds up the
 * bytes, and cutting into messages alone.
 *
 * Not measured: reading the reply, and comparing two digests.
 *
 * ```
 * deno bench -A --no-check bench/digest_bench.ts
 * ```
 *
 * @module
 */

import { ReplyDigest } from "../src/record/mod.ts";
import { Framer } from "../src/wire/mod.ts";
import { accountRows, chunksOf, largeRow, SELECT } from "./support/bytes.ts";
import { COMPARE_BYTES } from "./support/tapped.ts";

const TIMES = 1_000;
const CHUNK_BYTES = 64 * 1024;
const MEBIBYTE = 1024 * 1024;

/** What nobody reads is not computed. */
let seen = 0;

function everyByte(chunks: readonly Uint8Array[]): void {
  for (const chunk of chunks) {
    let sum = 0;
    for (let at = 0; at < chunk.length; at++) sum += chunk[at] as number;
    seen += sum;
  }
}

/** Digests a whole reply, or cuts it only. */
function reply(
  framer: Framer,
  digest: ReplyDigest | undefined,
  chunks: readonly Uint8Array[],
): void {
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length;) {
      at = framer.step(chunk, at, chunk.length);
      digest?.step(framer, chunk, framer.bodyStart, at, 83.5);
    }
  }
  digest?.clear();
}

/** @param bounds of the bytes that are hashed. */
function compare(
  name: string,
  chunks: readonly Uint8Array[],
  times: number,
  bounds: Readonly<Record<string, number>>,
): void {
  const group = `digest: ${name}`;
  Deno.bench({
    name: "a plain sum of the bytes",
    group,
    baseline: true,
    fn() {
      for (let i = 0; i < times; i++) everyByte(chunks);
    },
  });
  const framer = new Framer();
  Deno.bench("cut into messages, nothing more", { group }, () => {
    for (let i = 0; i < times; i++) reply(framer, undefined, chunks);
  });
  for (const [bound, bytes] of Object.entries(bounds)) {
    const digest = new ReplyDigest(bytes);
    Deno.bench(`digest, ${bound}`, { group }, () => {
      for (let i = 0; i < times; i++) reply(framer, digest, chunks);
    });
  }
}

const HASHED = { "rows hashed": COMPARE_BYTES, "rows counted": 0 };

compare(
  "a reply of pgbench -S × 1000",
  SELECT.simple.map(({ reply }) => reply),
  TIMES,
  HASHED,
);
compare(
  "60,000 bytes in rows of 107",
  chunksOf(accountRows(60_000), CHUNK_BYTES),
  1,
  HASHED,
);
compare(
  "one row of 32 KiB",
  chunksOf(largeRow(32 * 1024), CHUNK_BYTES),
  1,
  HASHED,
);
compare("one row of 1 MiB", chunksOf(largeRow(MEBIBYTE), CHUNK_BYTES), 1, {
  "beyond mirror_compare_bytes (64 KiB)": COMPARE_BYTES,
  "mirror_compare_bytes of 2 MiB": 2 * MEBIBYTE,
});

addEventListener("unload", () => {
  if (seen === 0) throw new Error("Nothing was read");
});
