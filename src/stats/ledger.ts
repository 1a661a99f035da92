/**
 * The names of the ledger's outcomes (docs/design.md). A worker passes the
 * position of a name, never the name, so that counting makes no string.
 *
 * `seen = excluded + dropped + replayed + failed + pending`
 *
 * @module
 */

/** Requests that were never meant to be replayed. */
export const EXCLUDED = [
  "sampled_out",
  "level",
  "replication",
  "cancelled",
  "client_gone",
  "primary_lost",
  "unsupported",
] as const;

/** Positions in {@linkcode EXCLUDED}. */
export const Excluded = {
  sampledOut: 0,
  level: 1,
  replication: 2,
  cancelled: 3,
  clientGone: 4,
  primaryLost: 5,
  unsupported: 6,
} as const;

/** Requests that should have been replayed and were shed before any byte was sent. */
export const DROPPED = [
  "queue_full",
  "too_large",
  "mirror_down",
  "session_tainted",
  "paused",
  "shutdown",
  "removed",
] as const;

/** Positions in {@linkcode DROPPED}. */
export const Dropped = {
  queueFull: 0,
  tooLarge: 1,
  mirrorDown: 2,
  sessionTainted: 3,
  paused: 4,
  shutdown: 5,
  removed: 6,
} as const;

/** Requests whose replay began and whose outcome on the mirror is unknown. */
export const FAILED = [
  "connection",
  "timeout",
  "protocol",
  "internal",
] as const;

/** Positions in {@linkcode FAILED}. */
export const Failed = {
  connection: 0,
  timeout: 1,
  protocol: 2,
  internal: 3,
} as const;

/**
 * Results of one statement of a replayed request (docs/design.md); noise,
 * mismatch and skipped each with its rule, class or reason.
 */
export const RESULTS = [
  "match",
  "match_unordered",
  "noise_volatile",
  "noise_ties",
  "noise_sequence",
  "noise_concurrent_write",
  "noise_concurrency",
  "mismatch_rows",
  "mismatch_row_count",
  "mismatch_columns",
  "mismatch_command_tag",
  "mismatch_error_on_mirror",
  "mismatch_error_on_primary",
  "mismatch_sqlstate",
  "skipped_cascade",
  "skipped_compare_off",
  "skipped_too_large",
  "skipped_ignored",
  "skipped_unparsed",
] as const;

/** Positions in {@linkcode RESULTS}. */
export const Result = {
  match: 0,
  matchUnordered: 1,
  noiseVolatile: 2,
  noiseTies: 3,
  noiseSequence: 4,
  noiseConcurrentWrite: 5,
  noiseConcurrency: 6,
  mismatchRows: 7,
  mismatchRowCount: 8,
  mismatchColumns: 9,
  mismatchCommandTag: 10,
  mismatchErrorOnMirror: 11,
  mismatchErrorOnPrimary: 12,
  mismatchSqlstate: 13,
  skippedCascade: 14,
  skippedCompareOff: 15,
  skippedTooLarge: 16,
  skippedIgnored: 17,
  skippedUnparsed: 18,
} as const;

/** Whether something was learnt from the pair: it was compared, and no chance of the moment made the difference. */
export function isCompared(result: number): boolean {
  return result < Result.skippedCascade &&
    result !== Result.noiseConcurrentWrite &&
    result !== Result.noiseConcurrency;
}

/** Whether a result counts as a difference that somebody must explain. */
export function isMismatch(result: number): boolean {
  return result >= Result.mismatchRows && result <= Result.mismatchSqlstate;
}
