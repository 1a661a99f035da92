import {
  KIND_ERROR,
  KIND_MASK,
  STATEMENT_KIND,
  STATEMENT_TAG,
  STATEMENT_WORDS,
  tagText,
  type Transaction,
} from "../record/mod.ts";

/** What became of what a transaction wrote, savepoints aside; undefined: it was several transactions, perhaps. */
export type Outcome = "committed" | "rolled back" | undefined;

const BEGINS = new Set(["BEGIN", "START TRANSACTION"]);

/** How a transaction ended on the primary. */
export function outcomeOf({ statements }: Transaction): Outcome {
  let isBlock = false;
  let hasFailed = false;
  let last = "";
  for (let at = 0; at < statements.length; at += STATEMENT_WORDS) {
    // Behind its commit another transaction has begun.
    if (last === "COMMIT") return undefined;
    const kind = statements[at + STATEMENT_KIND] as number;
    const isError = (kind & KIND_MASK) === KIND_ERROR;
    last = isError
      ? "error"
      : tagText(statements[at + STATEMENT_TAG] as number) ?? "";
    if (BEGINS.has(last)) isBlock = true;
    // Of ROLLBACK TO, too.
    if (isError || last === "ROLLBACK") hasFailed = true;
  }
  if (!isBlock) return hasFailed ? "rolled back" : "committed";
  if (last === "ROLLBACK" || last === "error") return "rolled back";
  return last === "COMMIT" ? "committed" : undefined;
}
