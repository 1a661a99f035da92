import {
  CYCLE_BYTES,
  CYCLE_STATEMENTS,
  CYCLE_WORDS,
  KIND_ERROR,
  KIND_MASK,
  STATEMENT_KIND,
  STATEMENT_SQLSTATE,
  STATEMENT_TAG,
  STATEMENT_WORDS,
  tagHash,
  type Transaction,
} from "../record/mod.ts";
import { type SessionState, sessionState } from "../sql/mod.ts";
import { concat, QUERY, sqlstate } from "../wire/mod.ts";

/** COMMIT of a failed transaction answers so, too. */
const ROLLBACK = tagHash("ROLLBACK");

const COMMIT = tagHash("COMMIT");
const IN_FAILED_TRANSACTION = sqlstate("25P02");

/**
 * What a transaction leaves behind in its session. One that was rolled back
 * takes its settings with it; prepared statements stay (manual, SET and
 * PREPARE). Of one that was rolled back in part, to a savepoint or up to an AND
 * CHAIN, nobody knows which settings stay: they are lost. What a failed block
 * has refused was never there.
 */
export function lastingState(transaction: Transaction): SessionState {
  const state = sessionState(acceptedBytes(transaction));
  // DISCARD ALL runs by itself, or not at all: then what was there before it is not known here.
  if (state.cleared === "all" && whatIsUndone(transaction) !== "nothing") {
    return { ...state, cleared: "nothing", lost: true };
  }
  if (!state.repeat.some(isSetting)) return state;
  const undone = whatIsUndone(transaction);
  if (undone === "nothing") return state;
  return {
    ...state,
    repeat: state.repeat.filter((repeated) => !isSetting(repeated)),
    lost: state.lost || undone === "some",
  };
}

/** Without the cycles that a failed block has refused, and without single statements that have failed. */
function acceptedBytes(
  { bytes, cycles, statements }: Transaction,
): Uint8Array<ArrayBuffer> {
  const accepted: Uint8Array[] = [];
  let at = 0;
  let end = 0;
  let isWhole = true;
  for (let i = 0; i < cycles.length; i += CYCLE_WORDS) {
    const from = at;
    at += cycles[i + CYCLE_BYTES] as number;
    const count = cycles[i + CYCLE_STATEMENTS] as number;
    end += count * STATEMENT_WORDS;
    const code = count > 0
      ? statements[end - STATEMENT_WORDS + STATEMENT_SQLSTATE]
      : 0;
    const isAlone = count === 1 && bytes[from] === QUERY && code !== 0;
    if (code === IN_FAILED_TRANSACTION || isAlone) {
      isWhole = false;
    } else accepted.push(bytes.subarray(from, at));
  }
  return isWhole ? bytes : concat(accepted);
}

function whatIsUndone(
  { statements }: Transaction,
): "nothing" | "some" | "all" {
  const last = statements.length - STATEMENT_WORDS;
  let committed = false;
  for (let at = 0; at < last; at += STATEMENT_WORDS) {
    const tag = statements[at + STATEMENT_TAG];
    // ROLLBACK TO has that tag, too, but can't be the last one of a transaction.
    if (tag === ROLLBACK) return "some";
    if (tag === COMMIT) committed = true;
  }
  if (last < 0) return "nothing";
  const kind = (statements[last + STATEMENT_KIND] as number) & KIND_MASK;
  const undone = kind === KIND_ERROR ||
    statements[last + STATEMENT_TAG] === ROLLBACK;
  return !undone ? "nothing" : committed ? "some" : "all";
}

/** Neither a named Parse, PREPARE or DEALLOCATE nor what else outlives a rollback: a library, a session's lock. */
function isSetting({ key }: { readonly key: string }): boolean {
  return !/^\s*(?:statement |prepare\b|deallocate\b|discard\b|load\b|select\b[^;]*\bpg_(?:try_)?advisory_)/i
    .test(key);
}
