/**
 * What chance gave the primary, the mirror gets: an INSERT whose RETURNING told
 * ids, uuids and times is replayed with these values in the place of defaults,
 * and what skips locked rows takes those that the primary has given.
 *
 * @module
 */

export type { GivenColumns } from "./given_columns.ts";
export { isBinaryOutput, readBind } from "./bind.ts";
export { ChanceColumns } from "./chance_columns.ts";
export {
  type Correction,
  Corrections,
  type Lagging,
  type LoggedRelations,
} from "./corrections.ts";
export { MADE_FROM } from "./made_numbers.ts";
export { Giving, tellsDrawn } from "./giving.ts";
export type { DefaultsQuestion } from "./own_defaults.ts";
export { copiedValues } from "./copied_values.ts";
export { MAX_COPY_TEXT } from "./copy_rewriter.ts";
export { CycleRewriter } from "./cycle_rewriter.ts";
export type { GivenResults } from "./insert_rewriter.ts";
export { RowLockings } from "./row_lockings.ts";
export type { TakenResults } from "./locking_rewriter.ts";
export { LEFT_OUT, type LoggedRow, type LoggedRows } from "./logged_rows.ts";
export { areTypesKnown } from "./sent_types.ts";
export { drawnRows, toldRows } from "./told_rows.ts";
