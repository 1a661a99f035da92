import type { Insertion } from "../sql/mod.ts";
import { readAnswer, readCells, type Reply } from "../judge/mod.ts";
import {
  FLAG_CUT,
  KIND_COMPLETE,
  KIND_ERROR,
  KIND_MASK,
  KIND_SUSPENDED,
  STATEMENT_KIND,
  STATEMENT_ROWS,
  STATEMENT_SQLSTATE,
} from "../record/mod.ts";
import { unpackSqlstate } from "../wire/mod.ts";

/** The cells of a row; undefined: NULL. */
export type ToldRow = readonly (Uint8Array | undefined)[];

/**
 * The rows of an answer; undefined: it failed, gave none, or is not here as a
 * whole. Of a portal one row is all that matters: drivers ask for the first row
 * so, of a statement that gives one.
 */
export function toldRows(
  reply: Reply | undefined,
): readonly ToldRow[] | undefined {
  if (reply === undefined || !isWhole(reply) && !isFirstRow(reply)) {
    return undefined;
  }
  const { rows, hasCells } = readAnswer(reply.answer);
  return hasCells ? rows.map(readCells) : undefined;
}

/** Whether a statement has come to its end, and all of its answer is here. */
export function isWhole({ words, at }: Reply): boolean {
  const kind = words[at + STATEMENT_KIND] as number;
  return (kind & KIND_MASK) === KIND_COMPLETE && (kind & FLAG_CUT) === 0;
}

/** Whether one row was asked for, has come, and there may be more. */
export function isFirstRow({ words, at }: Reply): boolean {
  const kind = words[at + STATEMENT_KIND] as number;
  return (kind & KIND_MASK) === KIND_SUSPENDED && (kind & FLAG_CUT) === 0 &&
    words[at + STATEMENT_ROWS] === 1;
}

/** Whether a reply is an error. */
export function hasFailed({ words, at }: Reply): boolean {
  const kind = words[at + STATEMENT_KIND] as number;
  return (kind & KIND_MASK) === KIND_ERROR;
}

/** Whether a reply is an error with such an SQLSTATE. */
export function isErrorOf(
  reply: Reply | undefined,
  sqlstate: RegExp,
): boolean {
  if (reply === undefined || !hasFailed(reply)) return false;
  const packed = reply.words[reply.at + STATEMENT_SQLSTATE] as number;
  return sqlstate.test(unpackSqlstate(packed));
}

/** For how many rows an INSERT has drawn from sequences, at most; 0: it came to nothing before. */
export function drawnRows(
  { rows }: Pick<Insertion, "rows">,
  reply: Reply | undefined,
): number {
  if (reply === undefined) return 0;
  if (!hasFailed(reply)) return rows ?? insertedRows(reply);
  return isErrorOf(reply, WITH_A_ROW) ? rows ?? 0 : 0;
}

/** What a row was refused for, and what ends a statement on its way: data, constraints, rollbacks, resources, locks, operators, RAISE. */
const WITH_A_ROW = /^(22|23|40|53|55|57|P0)/;

/** How many rows an INSERT says that it inserted, those of a portal at least; of an error 0. */
export function insertedRows(reply: Reply | undefined): number {
  if (reply === undefined) return 0;
  const kind = reply.words[reply.at + STATEMENT_KIND] as number;
  const isDone = (kind & KIND_MASK) === KIND_COMPLETE ||
    (kind & KIND_MASK) === KIND_SUSPENDED;
  if (!isDone) return 0;
  return reply.words[reply.at + STATEMENT_ROWS] as number;
}
