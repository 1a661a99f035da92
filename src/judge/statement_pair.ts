import type { TouchedRows } from "../sql/pinned_values.ts";
import type { Shape } from "../sql/shape.ts";
import type { Reply } from "./surroundings.ts";

/** One statement on both sides; a side that has none was skipping to Sync. */
export interface StatementPair {
  readonly shape: Shape;
  /** The rows that it touches of its only relation, as far as its text and values tell. */
  readonly rows: TouchedRows | undefined;
  /** The statements whose descriptions stand in front of the result, if others than its own are among them. */
  readonly described?: readonly Shape[] | undefined;
  /** Whether the mirror was given the primary's value for a column, by the OID of its relation. */
  readonly isGiven?: (oid: string, column: string) => boolean;
  /** The same of what its ON CONFLICT sets. */
  readonly isUpdateGiven?: (oid: string, column: string) => boolean;
  /** The rows that the mirror was told to lock, since the primary has; none: it was to lock none. Undefined: it was told nothing. */
  readonly taken?: readonly TouchedRows[];
  readonly primary: Reply | undefined;
  readonly mirror: Reply | undefined;
  /** What each side took, in microseconds. */
  readonly primaryUs: number;
  readonly mirrorUs: number;
  /** What each side's began later than sent, behind others in a pipeline: so much of a round trip is not in its time. */
  readonly queuedUs: number;
  readonly mirrorQueuedUs: number;
  /** When the statement's cycle was sent to the primary, after the transaction's begin. */
  readonly cycleStartUs: number;
  /** When it completed there, after the same. */
  readonly cycleEndUs: number;
}
