/**
 * What chance gave the primary, the mirror gets: an INSERT whose RETURNING told
 * ids, uuids and times is replayed with these values in the place of defaults.
 *
 * @module
 */

export type { GivenColumns } from "./given_columns.ts";
export { Giving } from "./giving.ts";
export type { DefaultsQuestion } from "./own_defaults.ts";
export {
  type GivenResults,
  InsertRewriter,
  isOfConcern,
} from "./insert_rewriter.ts";
