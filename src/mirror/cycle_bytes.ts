import {
  BIND,
  CLOSE,
  COPY_DONE,
  COPY_FAIL,
  DESCRIBE,
  EXECUTE,
  Framer,
  FUNCTION_CALL,
  PARSE,
  QUERY,
  SYNC,
} from "../wire/mod.ts";

/** CopyFail with an empty reason: ends copy-in, and means nothing outside of it. */
const EMPTY_COPY_FAIL = new Uint8Array([COPY_FAIL, 0, 0, 0, 5, 0]);
export const SYNC_MESSAGE: Uint8Array<ArrayBuffer> = new Uint8Array([
  SYNC,
  0,
  0,
  0,
  4,
]);
const COPY_FAIL_AND_SYNC = joined([EMPTY_COPY_FAIL, SYNC_MESSAGE]);

const framer = new Framer();

/** A message's bytes. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * A cycle as a mirror gets it: exactly one ReadyForQuery answers it, also where
 * the mirror fails and the primary did not, or the other way round. So what the
 * primary did not act on is left out: Syncs that copy-in swallowed, and Queries
 * that it skipped behind an error. Without a failure they change nothing.
 */
export interface CycleBytes {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** CopyDone and CopyFail messages in it. */
  readonly copyEnds: number;
  /** Messages of the extended protocol in front of the Query or FunctionCall that ends it; 0: a Sync does. */
  readonly before: number;
  /** Ends copy-in if the cycle does not. */
  readonly copyFail: Uint8Array<ArrayBuffer>;
}

/**
 * Reads the cycle `bytes[from, to)`.
 *
 * @param copied the primary asked for copy data in it.
 */
export function readCycle(
  bytes: Uint8Array<ArrayBuffer>,
  from: number,
  to: number,
  copied: boolean,
): CycleBytes {
  framer.reset();
  let extended = 0;
  let copyEnds = 0;
  let lastSync = -1;
  const syncs: Span[] = [];
  const queries: (Span & { readonly before: number })[] = [];
  for (let at = from; at < to;) {
    const start = at;
    at = framer.step(bytes, at, to);
    if (!framer.finished) break;
    switch (framer.type) {
      case PARSE:
      case BIND:
      case DESCRIBE:
      case EXECUTE:
      case CLOSE:
        extended++;
        break;
      case QUERY:
      case FUNCTION_CALL:
        queries.push({ start, end: at, before: extended });
        break;
      case SYNC:
        syncs.push({ start, end: at });
        if (at === to) lastSync = start;
        break;
      case COPY_DONE:
      case COPY_FAIL:
        copyEnds++;
    }
  }
  // Without a message before it that can fail, no Query is skipped.
  const bySync = lastSync >= 0 && queries.every(({ before }) => before > 0);
  const without = bySync
    ? [...queries, ...syncs.filter(({ start }) => start !== lastSync)]
    : syncs;
  const parts = without.length === 0
    ? [from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to)]
    : cut(bytes, from, to, without);
  if (bySync && copied && copyEnds === 0) {
    // Should the mirror ask for data, nobody could tell whether it has swallowed the Sync.
    const all = joined(parts);
    parts.splice(
      0,
      parts.length,
      all.subarray(0, all.length - SYNC_MESSAGE.length),
      COPY_FAIL_AND_SYNC,
    );
    copyEnds = 1;
  }
  return {
    bytes: parts.length === 1 ? parts[0] as typeof bytes : joined(parts),
    copyEnds,
    before: bySync ? 0 : queries[0]?.before ?? 0,
    copyFail: bySync ? COPY_FAIL_AND_SYNC : EMPTY_COPY_FAIL,
  };
}

/** `bytes[from, to)` without some messages. */
function cut(
  bytes: Uint8Array<ArrayBuffer>,
  from: number,
  to: number,
  without: readonly Span[],
): Uint8Array<ArrayBuffer>[] {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let at = from;
  for (const { start, end } of without.toSorted((a, b) => a.start - b.start)) {
    parts.push(bytes.subarray(at, start));
    at = end;
  }
  parts.push(bytes.subarray(at, to));
  return parts;
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
