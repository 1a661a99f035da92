import {
  BIND,
  CLOSE,
  concat,
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

/** With an empty reason: ends copy-in, and means nothing outside of it. */
export const COPY_FAIL_MESSAGE: Uint8Array<ArrayBuffer> = new Uint8Array([
  COPY_FAIL,
  0,
  0,
  0,
  5,
  0,
]);
export const SYNC_MESSAGE: Uint8Array<ArrayBuffer> = new Uint8Array([
  SYNC,
  0,
  0,
  0,
  4,
]);

const framer = new Framer();

/**
 * A cycle as a mirror gets it: exactly one ReadyForQuery answers it, also where
 * the mirror fails and the primary did not, or the other way round. So what the
 * primary did not act on is left out: Syncs that copy-in swallowed, and Queries
 * that it skipped behind an error. Without a failure they change nothing. A
 * cycle without bytes is a Sync whose bytes stand in a failed copy before it.
 */
export interface CycleBytes {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Messages of the extended protocol in front of the Query or FunctionCall that ends it; 0: a Sync does. */
  readonly before: number;
  /** CopyDone and CopyFail messages behind that Query; Infinity: a Sync ends it. */
  readonly copyEnds: number;
  /**
   * Which of the extended messages, from 1, is the last Execute, if a Sync ends
   * the cycle and no CopyDone or CopyFail stands between the two; else 0. Copy-in
   * that it begins swallows the Sync, unless it fails before.
   */
  readonly openExecute: number;
}

const LONE_SYNC: CycleBytes = {
  bytes: SYNC_MESSAGE,
  before: 0,
  copyEnds: Infinity,
  openExecute: 0,
};

/** Reads the cycle `bytes[from, to)`. */
export function readCycle(
  bytes: Uint8Array<ArrayBuffer>,
  from: number,
  to: number,
): CycleBytes {
  if (from === to) return LONE_SYNC;
  framer.reset();
  let extended = 0;
  let openExecute = 0;
  let copyEnds = 0;
  let syncs = 0;
  let queries = 0;
  /** Extended messages in front of the first Query or FunctionCall. */
  let before = 0;
  for (let at = from; at < to;) {
    at = framer.step(bytes, at, to);
    if (!framer.finished) break;
    switch (framer.type) {
      case PARSE:
      case BIND:
      case DESCRIBE:
      case CLOSE:
        extended++;
        break;
      case EXECUTE:
        openExecute = ++extended;
        break;
      case QUERY:
      case FUNCTION_CALL:
        if (queries++ === 0) before = extended;
        copyEnds = 0;
        break;
      case SYNC:
        syncs++;
        break;
      case COPY_DONE:
      case COPY_FAIL:
        openExecute = 0;
        copyEnds++;
    }
  }
  // Without a message before it that can fail, no Query is skipped.
  const bySync = framer.finished && framer.type === SYNC &&
    (queries === 0 || before > 0);
  const isAsSent = bySync ? syncs === 1 && queries === 0 : syncs === 0;
  const parts = isAsSent
    ? [from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to)]
    : effective(bytes, from, to, bySync);
  return {
    bytes: parts.length === 1 ? parts[0] as typeof bytes : concat(parts),
    before: bySync ? 0 : before,
    copyEnds: bySync ? Infinity : copyEnds,
    openExecute: bySync ? openExecute : 0,
  };
}

/** The messages of `bytes[from, to)` that the primary acted on. */
function effective(
  bytes: Uint8Array<ArrayBuffer>,
  from: number,
  to: number,
  bySync: boolean,
): Uint8Array<ArrayBuffer>[] {
  framer.reset();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let kept = from;
  for (let at = from; at < to;) {
    const start = at;
    at = framer.step(bytes, at, to);
    const { type } = framer;
    const isIdle = type === SYNC
      ? !bySync || at < to
      : bySync && (type === QUERY || type === FUNCTION_CALL);
    if (!isIdle) continue;
    parts.push(bytes.subarray(kept, start));
    kept = at;
  }
  parts.push(bytes.subarray(kept, to));
  return parts;
}
