import {
  CYCLE_STATEMENTS,
  CYCLE_WORDS,
  STATEMENT_ANSWER,
  STATEMENT_WORDS,
  type Transaction,
} from "../record/mod.ts";
import { replyAt } from "../judge/mod.ts";
import type { Plan } from "./plan.ts";
import { logFault, type Target } from "./target.ts";

/**
 * A transaction is left out. Later ones need some of it: columns that the
 * primary has described in it only, and the numbers that its INSERTs drew from
 * sequences, which the mirror draws later. Of one that was under way the mirror
 * may have drawn some already: then it is ahead by that, which does no harm.
 *
 * @param session the client's number.
 */
export function leaveOut(
  target: Target,
  { statements, cycles, answers, endUs }: Transaction,
  { shapes, described }: Pick<Plan, "shapes" | "described">,
  session: number,
): void {
  const { giving, catalog, columns } = target;
  try {
    let at = 0;
    let answer = 0;
    shapes.forEach((cycle, i) => {
      const count = cycles[i * CYCLE_WORDS + CYCLE_STATEMENTS] ?? 0;
      for (let n = 0; n < count; n++) {
        const reply = replyAt(statements, at, answers, answer);
        const shape = cycle[n];
        if (shape !== undefined) {
          columns.note(shape, reply, described[i]?.get(n));
          giving.missed(shape, catalog, reply, { session, endUs });
        }
        answer += statements[at + STATEMENT_ANSWER] ?? 0;
        at += STATEMENT_WORDS;
      }
    });
  } catch (error) {
    // It is counted all the same.
    logFault(target, error);
  }
}
