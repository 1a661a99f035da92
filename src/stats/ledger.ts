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
  "rolled_back",
  "rule",
  "unsafe",
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
  rolledBack: 7,
  rule: 8,
  unsafe: 9,
} as const;

/** Those of {@linkcode EXCLUDED} that the configuration leaves out on purpose: no verdict is about them. */
export const UNTRIED: readonly string[] = ["sampled_out", "level", "rule"];

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

/** Those of {@linkcode DROPPED} that were withheld from the mirror by its operator: no fault of its own. */
export const WITHHELD: readonly string[] = ["paused", "shutdown", "removed"];

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
 * note, mismatch and skipped each with its rule, subject, class or reason.
 */
export const RESULTS = [
  "match",
  "match_unordered",
  "match_masked",
  "match_control",
  "noise_limit",
  "noise_ties",
  "noise_time_boundary",
  "noise_volatile",
  "noise_concurrent_write",
  "noise_concurrency",
  "note_catalog",
  "note_plan",
  "note_error",
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
  matchMasked: 2,
  matchControl: 3,
  noiseLimit: 4,
  noiseTies: 5,
  noiseTimeBoundary: 6,
  noiseVolatile: 7,
  noiseConcurrentWrite: 8,
  noiseConcurrency: 9,
  noteCatalog: 10,
  notePlan: 11,
  noteError: 12,
  mismatchRows: 13,
  mismatchRowCount: 14,
  mismatchColumns: 15,
  mismatchCommandTag: 16,
  mismatchErrorOnMirror: 17,
  mismatchErrorOnPrimary: 18,
  mismatchSqlstate: 19,
  skippedCascade: 20,
  skippedCompareOff: 21,
  skippedTooLarge: 22,
  skippedIgnored: 23,
  skippedUnparsed: 24,
} as const;

/** Whether a result is evidence: the pair was compared, and chance had no hand in it. */
export function isCompared(result: number): boolean {
  return isEqual(result) || isMismatch(result);
}

/** Whether a result is evidence for the mirror. */
export function isEqual(result: number): boolean {
  return result <= Result.matchMasked;
}

/** Whether a result is neither evidence nor the lack of it: BEGIN answered alike, a catalog read, a difference that a rule accepts. */
export function isAside(result: number): boolean {
  return result === Result.matchControl || isNote(result) ||
    result === Result.skippedIgnored;
}

/** Whether a result counts as a difference that somebody must explain. */
export function isMismatch(result: number): boolean {
  return result >= Result.mismatchRows && result <= Result.mismatchSqlstate;
}

/** Whether a result differs, and a rule puts that down to chance. */
export function isNoise(result: number): boolean {
  return result >= Result.noiseLimit && result <= Result.noiseConcurrency;
}

/** Whether a result tells of the server itself, or of its words: it is shown, and counts as nothing. */
export function isNote(result: number): boolean {
  return result >= Result.noteCatalog && result <= Result.noteError;
}
