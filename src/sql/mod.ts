/**
 * What the text of statements says, as far as replaying and comparing need it.
 * Only the mirror worker asks for shapes; it calls `loadModule` of libpg-query
 * before its loop begins.
 *
 * @module
 */

export {
  type Danger,
  dangerOfKind,
  type Deeds,
  type Defined,
  NOT_RUN,
} from "./danger.ts";
export { ANYTHING, type Definition } from "./definition.ts";
export type { Insertion, ReturnedColumn } from "./insertion.ts";
export { type IsolationLevel, startupIsolation } from "./isolation.ts";
export type { MomentBound } from "./moment_bounds.ts";
export type { MomentCalls } from "./moment_calls.ts";
export { MOMENTS } from "./moment_terms.ts";
export type { RowLocking } from "./row_locking.ts";
export type { ChanceSet, Updating } from "./updating.ts";
export { skipSpace } from "./lexer.ts";
export { relationKey } from "./relation_key.ts";
export { rowValueKey, writtenValue } from "./pins.ts";
export { joins, separatorsOf, withSeparators } from "./separators.ts";
export { SAVEPOINT_NAME, savepointName } from "./savepoint_name.ts";
export * from "./session_state.ts";
export { StateWatch } from "./state_watch.ts";
export { isScalar } from "./one_row.ts";
export { formOf } from "./shape_form.ts";
export { takenForm } from "./taken_form.ts";
export { type Token, tokens } from "./tokens.ts";
export { mayBeUnsafe, UNSAFE_KINDS, type UnsafeKind } from "./unsafe_kinds.ts";
export {
  type Nature,
  natureOfCall,
  NUMBERING,
  TIME_LITERAL,
} from "./volatile.ts";
