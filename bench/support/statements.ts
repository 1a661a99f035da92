import * as d from "../../src/record/mod.ts";
import { Framer } from "../../src/wire/mod.ts";
import { loadModule } from "libpg-query";
import { ShapeCache } from "../../src/sql/shape_cache.ts";
import type { Shape } from "../../src/sql/shape.ts";
import { SELECT } from "./bytes.ts";
import { COMPARE_BYTES } from "./tapped.ts";

const encoder = new TextEncoder();

/** The parser has to be there before it is asked. */
await loadModule();

/** SQL as the wire has it. */
export function sql(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** As the mirror worker has it; `max_fingerprints` is 1,000 by default. */
export function shapeCache(): ShapeCache {
  return new ShapeCache(1_000);
}

/** What is known of a statement. */
export function shapeOf(text: string): Shape {
  const bytes = sql(text);
  const [shape] = shapeCache().get(bytes, 0, bytes.length).shapes;
  if (shape === undefined) throw new Error(`"${text}" is no statement`);
  return shape;
}

/** The digest of the reply to a transaction of `pgbench -S`, with some words changed, and the last byte of its row. */
export function selectReply(
  changes: Readonly<Record<number, number>> = {},
  lastByte = 0x30,
) {
  const digest = new d.ReplyDigest(COMPARE_BYTES);
  const framer = new Framer();
  for (const { reply } of SELECT.simple) {
    for (let at = 0; at < reply.length;) {
      at = framer.step(reply, at, reply.length);
      digest.step(framer, reply, framer.bodyStart, at, 83.5);
    }
  }
  const words = digest.words.slice(0, d.STATEMENT_WORDS);
  for (const [at, value] of Object.entries(changes)) words[Number(at)] = value;
  const answer = digest.answer.slice(0, digest.answerLength);
  answer[answer.length - 1] = lastByte;
  return { words, at: 0, answer };
}
