/**
 * The judge: what two replies have in common, and what is kept of the rest. It
 * knows no lane, no socket and no ring.
 *
 * @module
 */

export { areOther, normalOf, Writes } from "./writes.ts";
export { describedNames, readAnswer, readCells } from "./answer.ts";
export { type Reply, replyAt } from "./surroundings.ts";
export { isSameMoment } from "./cell_rules.ts";
export { typeOidPlaces } from "./own_types.ts";
export { timeUs } from "./time_values.ts";
export { createIgnore } from "./ignore.ts";
export { Judge, type JudgedMirror } from "./judge.ts";
export {
  type DrawnColumn,
  DrawnColumns,
  isDrawn,
  isMoment,
} from "./drawn_columns.ts";
export { KnownColumns } from "./known_columns.ts";
export { ShapesBehind } from "./shapes_behind.ts";
export type { StatementPair } from "./statement_pair.ts";
export { StatementTable } from "./statement_table.ts";
