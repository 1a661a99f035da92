import type { Shape } from "../sql/shape.ts";
import type { Reply } from "./surroundings.ts";

/** One statement on both sides; a side that has none was skipping to Sync. */
export interface StatementPair {
  readonly shape: Shape;
  /** The statements whose descriptions stand in front of the result, if others than its own are among them. */
  readonly described?: readonly Shape[] | undefined;
  readonly primary: Reply | undefined;
  readonly mirror: Reply | undefined;
  /** What each side took, in microseconds. */
  readonly primaryUs: number;
  /** What the primary's began later than sent, behind others in a pipeline: so much of a round trip is not in `primaryUs`. */
  readonly queuedUs: number;
  readonly mirrorUs: number;
  /** When the statement's cycle was sent to the primary, after the transaction's begin. */
  readonly cycleStartUs: number;
  /** When it completed there, after the same. */
  readonly cycleEndUs: number;
}
