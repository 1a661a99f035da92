import {
  type LogClaim,
  type MakeRows,
  outcomeOf,
  traceOf,
} from "../decoding/mod.ts";
import { tellsDrawn } from "../given/mod.ts";
import { monotonicUs } from "../io/mod.ts";
import {
  CYCLE_STATEMENTS,
  CYCLE_WORDS,
  STATEMENT_ROWS,
  STATEMENT_WORDS,
  type Transaction,
} from "../record/mod.ts";
import type { Plan } from "./plan.ts";
import { logFault, type Target } from "./target.ts";

/** Of a transaction that is not replayed. */
export const NO_SERIES = -1;

/**
 * Has a transaction looked for in the primary's log, if that is read.
 *
 * @returns undefined if the log tells nothing that the mirror needs for it.
 */
export function claimLog(
  target: Target,
  series: number,
  transaction: Transaction,
  plan: Plan,
): LogClaim | undefined {
  const { primaryLog: { matcher }, schema } = target;
  const claim = () => tryToClaim(target, series, transaction, plan);
  // Without a catalog nobody can say what the mirror needs.
  return !matcher.tells(transaction.startUs) || schema.hasCatalog ||
      series === NO_SERIES
    ? claim()
    : new LateClaim(claim);
}

function tryToClaim(
  target: Target,
  series: number,
  transaction: Transaction,
  plan: Plan,
): LogClaim | undefined {
  try {
    return claimOf(target, series, transaction, plan);
  } catch (error) {
    // It is replayed all the same.
    logFault(target, error);
    return undefined;
  }
}

function claimOf(
  target: Target,
  series: number,
  transaction: Transaction,
  plan: Plan,
): LogClaim | undefined {
  const { primaryLog, giving, corrections, rowLockings, catalog, probes } =
    target;
  const { matcher } = primaryLog;
  if (!matcher.tells(transaction.startUs)) return undefined;
  const isOf = (needs: Pick<typeof giving, "needsLog">) =>
    series !== NO_SERIES &&
    plan.shapes.flat().some((shape) => needs.needsLog(shape, catalog));
  const isGiven = isOf(giving);
  const isNeeded = isGiven || isOf(corrections) || isOf(rowLockings);
  const outcome = outcomeOf(transaction);
  const made = makeRows(target, transaction, plan);
  const isKept = outcome === "committed";
  const isInLog = isKept && matcher.isReading;
  if (isGiven && !isInLog && outcome !== undefined) {
    return matcher.untold((cycle, result, copied) =>
      made(cycle, result, isKept, copied)
    );
  }
  const { shapes, rows, written, place } = plan;
  if (!isInLog || place?.writes === undefined) return undefined;
  const { earliestUs } = place;
  const trace = traceOf(
    { transaction, shapes, rows, written, earliestUs },
    catalog,
  );
  if (trace === undefined) return undefined;
  const claim = matcher.claim(
    trace,
    monotonicUs(),
    made,
    isNeeded ? () => probes.logMissed(series) : undefined,
  );
  primaryLog.want();
  return isNeeded ? claim : undefined;
}

/** What the log does not tell, for the primary has rolled it back, say: its rows get numbers that no other row has. */
function makeRows(
  { primaryLog: { placeholders }, catalog }: Target,
  { cycles, statements }: Transaction,
  { shapes }: Plan,
): MakeRows {
  // What a session asks for that it drew is no made number.
  const mayStay = !shapes.flat().some(tellsDrawn);
  return (cycle, result, isKept, copied) => {
    const insertion = shapes[cycle]?.[result]?.insertion;
    if (insertion === undefined || isKept && !mayStay) return undefined;
    let at = result;
    for (let i = 0; i < cycle; i++) {
      at += cycles[i * CYCLE_WORDS + CYCLE_STATEMENTS] as number;
    }
    // Of a COPY that failed its data tell.
    const count = insertion.source === "copy"
      ? copied?.()
      : statements[at * STATEMENT_WORDS + STATEMENT_ROWS];
    return placeholders.rows(insertion, count ?? 0, catalog, isKept);
  };
}

/**
 * The claim of a transaction that came in before the mirror had told its
 * schema: it is made when the mirror is about to get it.
 */
class LateClaim implements LogClaim {
  readonly #make: () => LogClaim | undefined;
  #isMade = false;
  #claim: LogClaim | undefined;

  constructor(make: () => LogClaim | undefined) {
    this.#make = make;
  }

  get isWaiting(): boolean {
    if (!this.#isMade) this.#claim = this.#make();
    this.#isMade = true;
    return this.#claim?.isWaiting ?? false;
  }

  get onSettled(): (() => void) | undefined {
    return this.#claim?.onSettled;
  }

  set onSettled(onSettled: (() => void) | undefined) {
    if (this.#claim !== undefined) this.#claim.onSettled = onSettled;
  }

  rows(...asked: Parameters<LogClaim["rows"]>): ReturnType<LogClaim["rows"]> {
    return this.#claim?.rows(...asked);
  }

  get behind(): LogClaim["behind"] {
    return this.#claim?.behind ?? NOTHING;
  }

  release(): void {
    this.#claim?.release();
  }
}

const NOTHING: LogClaim["behind"] = new Map();
