import {
  KIND_ERROR,
  KIND_MASK,
  STATEMENT_KIND,
  STATEMENT_TAG,
  STATEMENT_WORDS,
  tagHash,
} from "../digest/mod.ts";
import { type SessionState, sessionState } from "../sql/mod.ts";
import type { Transaction } from "./transaction.ts";

/** COMMIT of a failed transaction answers so, too. */
const ROLLBACK = tagHash("ROLLBACK");

/**
 * What a transaction leaves behind in its session. One that was rolled back
 * takes its settings with it; prepared statements stay (manual, SET and
 * PREPARE).
 */
export function lastingState(transaction: Transaction): SessionState {
  const state = sessionState(transaction.bytes);
  if (!isRolledBack(transaction)) return state;
  return {
    ...state,
    repeat: state.repeat.filter(({ key }) => !isSetting(key)),
  };
}

/** By its last statement: ROLLBACK TO can't be the last one of a transaction. */
function isRolledBack({ statements }: Transaction): boolean {
  const at = statements.length - STATEMENT_WORDS;
  if (at < 0) return false;
  const kind = (statements[at + STATEMENT_KIND] as number) & KIND_MASK;
  return kind === KIND_ERROR || statements[at + STATEMENT_TAG] === ROLLBACK;
}

/** Of a key of {@linkcode SessionState.repeat}: neither a named Parse nor PREPARE or DEALLOCATE. */
function isSetting(key: string): boolean {
  return !/^\s*(?:statement |prepare\b|deallocate\b|discard\b)/i.test(key);
}
