import type { Writes } from "../judge/mod.ts";
import type { Relations } from "./footprint.ts";

/** A statement that wrote nothing, and saw what was committed before. Times are microseconds of the monotonic clock. */
export interface Observation {
  readonly sentUs: number;
  readonly completeUs: number;
  /** Where it looked. */
  readonly touched: Relations;
}

/**
 * What is known of a transaction that others wait for, when it comes in. Times
 * are microseconds of the monotonic clock.
 */
export interface Place {
  readonly startUs: number;
  /** Its commit was not earlier, nor did it release its locks. */
  readonly earliestUs: number;
  /** Its commit was not later. */
  readonly endUs: number;
  readonly key: number;
  /** What it wrote, as far as rows may differ by it; undefined: nothing. */
  readonly writes: Writes | undefined;
  /** Where it wrote, or took locks. */
  readonly written: Relations;
  /** The last statement that would have written and was refused. */
  readonly refused: Observation | undefined;
  /** The last statement that read, if none wrote or would have. */
  readonly read: Observation | undefined;
}

/** What a cycle has to wait for. */
export interface Turn {
  /** Writers whose commit may have been before this moment (a writing cycle's completion) … */
  readonly committedBeforeUs: number;
  /** … and those that had completed before this one (the moment it was sent); a definition waits for readers, too. */
  readonly completedBeforeUs: number;
  /** Refused statements that were sent before this one: what the cycle writes was committed later. */
  readonly refusedBeforeUs: number;
  /** Of all of them those with a smaller key: its own transaction's. */
  readonly key: number;
  /** Where it meets writers … */
  readonly touched: Relations;
  /** … and where statements that were refused. */
  readonly written: Relations;
  /** It changes definitions or rights. */
  readonly defines: boolean;
}

/** Replays one transaction after the other. */
export interface OrderedLane {
  /** When it was last sent a cycle, or got an answer. */
  readonly heardUs: number;
  /** Until when the cycle under way may take, by what the primary took. */
  readonly expectedUs: number;
  /** Somebody waits for one of its transactions: called once for each. */
  onWanted(): void;
}

/** A transaction that has come in. */
export interface OrderedTransaction extends Place {
  /** When its first bytes went to the mirror; Infinity before. */
  mirrorStartUs: number;
  done: boolean;
  /** Somebody waits for it: it should not keep its client's pauses. */
  wanted: boolean;
  /** Somebody who should have come behind it went ahead of it. */
  overtaken: boolean;
  /** Who replays it; whoever is done lets go of its lane. */
  lane: OrderedLane | undefined;
  /** Who waits for it, and looks again when it is done. */
  parked: Set<Waiting> | undefined;
}

/** A lane that waits for its turn. */
export interface Waiting {
  readonly lane: OrderedLane;
  readonly turn: Turn;
  readonly go: () => void;
  /** The last one that it waits for; undefined: it goes on, or was taken back. */
  blocker: OrderedTransaction | undefined;
  /** The lane at the end of the chain, as it was found at a moment. */
  end: { readonly lane: OrderedLane | undefined; readonly atUs: number };
}

/** Whether a writer comes before a turn. */
export function isWriterBefore(
  { earliestUs, endUs }: OrderedTransaction,
  { committedBeforeUs, completedBeforeUs }: Turn,
): boolean {
  return earliestUs < committedBeforeUs || endUs < completedBeforeUs;
}

/** Whether a refused statement comes before a turn that writes. */
export function isRefusedBefore(
  { refused }: OrderedTransaction,
  { refusedBeforeUs }: Turn,
): boolean {
  return refused !== undefined && refused.sentUs < refusedBeforeUs;
}

/** Whether a read comes before a definition. */
export function isReadBefore(
  { read }: OrderedTransaction,
  { completedBeforeUs }: Turn,
): boolean {
  return read !== undefined && read.completeUs < completedBeforeUs;
}
