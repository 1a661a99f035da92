import { NothingDoneError } from "../pgbench.ts";
import type { Contender } from "./field.ts";
import type { CaseResult, Figures } from "./figures.ts";
import {
  type Ledger,
  ledgerProblems,
  scrape,
  settledScrape,
  total,
} from "./ledger.ts";
import type { Case } from "./scenarios.ts";

/** What did not hold, in words. */
export type Report = (problem: string) => void;

/**
 * Runs a case on each target in turn, then again. After each run clients must
 * have gone, nothing may be pending, and the ledger must close; what does not
 * hold is reported, and the rest goes on.
 */
export async function runCase(
  { labels, cannot, measure }: Case,
  contenders: readonly Contender[],
  roundCount: number,
  report: Report,
): Promise<CaseResult> {
  const rounds = new Map<string, (Figures | undefined)[]>();
  const leftOut = new Map<string, string>();
  const running = contenders.filter((target) => {
    const reason = cannot?.(target);
    if (reason !== undefined) leftOut.set(target.name, reason);
    return reason === undefined;
  });
  for (let round = 1; round <= roundCount; round++) {
    for (const target of running) {
      const where = `${describe(labels)}: ${target.name}, round ${round}`;
      let figures: Figures | undefined;
      try {
        figures = await runOnce(
          target,
          measure,
          (problem) => report(`${where}: ${problem}`),
        );
      } catch (error) {
        const words = error instanceof Error ? error.message : `${error}`;
        // A slow machine is no error: the table has no figure then.
        if (error instanceof NothingDoneError) console.error(words);
        else report(`${where}: ${words}`);
      }
      const done = rounds.get(target.name) ?? [];
      rounds.set(target.name, [...done, figures]);
      console.error(`${where}: ${inShort(figures)}`);
    }
  }
  return { labels, rounds, leftOut };
}

/** A case's name. */
export function describe(labels: Case["labels"]): string {
  const { what, mode, clients } = labels;
  return [
    what,
    ...(mode === undefined ? [] : [mode]),
    ...(clients === undefined ? [] : [`${clients} clients`]),
  ].join(", ");
}

async function runOnce(
  target: Contender,
  measure: Case["measure"],
  report: Report,
): Promise<Figures> {
  const { httpPort } = target;
  if (httpPort === undefined) return (await measure(target)).figures;
  const before = total(await scrape(httpPort));
  const attempt = await measure(target).then(
    (measured) => ({ measured }),
    (error: unknown) => ({ error }),
  );
  // A run that failed must be in the ledger, too.
  const settled = await settledScrape(httpPort);
  const after = total(settled);
  const isMirrored = target.name !== "proxy";
  const known = "measured" in attempt && isMirrored
    ? attempt.measured.transactions
    : 0;
  for (const problem of ledgerProblems(settled, before.seen, known)) {
    report(problem);
  }
  if (target.name === "proxy, dead mirror" && after.replayed !== 0) {
    report(`${after.replayed} requests replayed on a mirror that is dead`);
  }
  if ("error" in attempt) throw attempt.error;
  const { figures } = attempt.measured;
  return isMirrored
    ? { ...figures, replayedPercent: replayedPercent(before, after) }
    : figures;
}

function replayedPercent(before: Ledger, after: Ledger): number {
  return 100 * (after.replayed - before.replayed) / (after.seen - before.seen);
}

function inShort(figures: Figures | undefined): string {
  if (figures === undefined) return "no figures";
  const { perSecond, mbPerSecond, besideP99Ms } = figures;
  if (perSecond !== undefined) return `${perSecond.toFixed(0)} per second`;
  if (mbPerSecond !== undefined) return `${mbPerSecond.toFixed(0)} MB/s`;
  return `p99 ${besideP99Ms?.toFixed(2) ?? "?"} ms beside slow clients`;
}
