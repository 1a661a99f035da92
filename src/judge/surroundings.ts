import type { TypePair } from "../catalog/mod.ts";
import { type CompareMode, STATEMENT_ANSWER } from "../record/mod.ts";
import type { MomentBound } from "../sql/mod.ts";
import type { CountRule, Shape } from "../sql/shape.ts";
import type { Mask } from "../sql/trait.ts";
import type { Column } from "./columns.ts";
import type { RowOrder, RowRules } from "./rows.ts";

/** What surrounds a pair of replies. */
export interface ComparisonContext {
  readonly mode: CompareMode;
  readonly shape: Shape;
  /** Earlier in this transaction a statement failed on one side only. */
  readonly failedBefore: boolean;
  /** The types of both servers. */
  readonly types: TypePair;
  /** Asked only when replies differ. */
  readonly about: () => Surroundings;
  /** Cells have differed, and may: by column. */
  readonly onMasked: (columns: ReadonlyMap<number, Mask>) => void;
}

/** What is known of a statement beside its own text. */
export interface Surroundings {
  /** The output columns, as the primary described them last. */
  columns(): readonly Column[] | undefined;
  /** What ORDER BY promises. */
  keys(): RowOrder["keys"];
  /** In what cells may differ. */
  rules(): RowRules;
  /** How the number of rows may differ. */
  counts(): CountRule | undefined;
  /** How the moment alone decides which rows there are; undefined: it does not, or not by columns that are seen. */
  moment(): Moment | undefined;
  /** A unique key is held to a value: there is one row at most. */
  pinned(): boolean;
  /** A unique key leaves no choice among rows or their order. */
  unique(): boolean;
  /** The statement asks for certain rows, or the mirror was told which. */
  certain(): boolean;
  /** The mirror sorts a text that is a key of ORDER BY otherwise than the primary, or without one rows come in another order from within. */
  sortedOtherwise(): boolean;
  /** Columns that show rows of the only relation as they stand there, the first of them a unique key; undefined: there is none. */
  placesOfRow(): readonly number[] | undefined;
  /** Rows that a query within numbers may have been left out. */
  skipsNumbers(): boolean;
  /** The mirror was told which rows to take: by that it comes to them in another way. */
  told(): boolean;
  /** Another transaction may have written what this statement read, on one side before and on the other behind it. */
  concurrentWrite(): boolean;
  /** The same of a row with a unique key that the statement gives to a row of its own. */
  concurrentKey(): boolean;
  /** Another transaction may have changed definitions, on one side before and on the other behind it. */
  concurrentDefinition(): boolean;
  /** What each side has failed with, packed: of a statement that is not prepared, what its Parse failed with. */
  causes(): Causes;
}

/** What both servers held a statement's rows against: the time of day of the proxy, in microseconds of Unix. */
export interface Moment {
  readonly bounds: readonly MomentBound[];
  /** The primary's moment, and the clocks' margin before it. */
  readonly fromUs: number;
  /** The mirror's, and the same behind it. */
  readonly toUs: number;
}

/** Packed SQLSTATEs; 0: no error. */
export interface Causes {
  readonly primary: number;
  readonly mirror: number;
}

/** One side's statement: an entry of a digest, at word `at`, and the messages that were kept. */
export interface Reply {
  readonly words: Uint32Array;
  readonly at: number;
  readonly answer: Uint8Array;
}

/** A digest's entry at word `at`, with its part of the answers. */
export function replyAt(
  words: Uint32Array,
  at: number,
  answers: Uint8Array,
  from: number,
): Reply {
  const length = words[at + STATEMENT_ANSWER] as number;
  return { words, at, answer: answers.subarray(from, from + length) };
}
