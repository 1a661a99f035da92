import {
  isAside,
  isCompared,
  isEqual,
  isMismatch,
  isSystematic,
  MISMATCH_SHARE,
  Result,
  type StatementSummary,
} from "../../src/plugin/api.ts";

/** How many statement shapes there are, and what speaks against some. */
export interface ShapeCounts {
  /** That could be evidence: BEGIN and the like, reads of catalogs and what a rule accepts are not among them. */
  readonly seen: number;
  /** Different in two calls and in half of them, or in more than chance explains. */
  readonly different: number;
  /** Of which no pair was equal, or too many were noise or skipped. */
  readonly uncompared: number;
}

/** Some of them by their text, those called most first; or where they can be looked up. */
export interface NamedShapes {
  readonly different: readonly string[];
  readonly uncompared: readonly string[];
}

/** Statements that are named of a kind. */
const NAMED = 3;

/** A shape that differs once may be chance; in two calls, and in half of them, it is the shape. */
const MIN_DIFFERENT = 2;

/**
 * Judges each shape by itself, however rare it is among the others.
 *
 * @param judged what of a shape's results says something.
 */
export function shapeFindings(
  statements: readonly StatementSummary[],
  judged: (statement: StatementSummary) => StatementSummary = (all) => all,
): { readonly counts: ShapeCounts; readonly named: NamedShapes } {
  const seen = statements.filter((statement) =>
    count(statement, (result) => !isAside(result)) > 0 && !isControl(statement)
  ).toSorted((a, b) => b.calls - a.calls).map(judged);
  const different = seen.filter(isDifferent);
  const uncompared = seen.filter((statement) =>
    !isDifferent(statement) && isUncompared(statement)
  );
  const names = (found: readonly StatementSummary[]) =>
    found.slice(0, NAMED).map(({ text }) => text);
  return {
    counts: {
      seen: seen.length,
      different: different.length,
      uncompared: uncompared.length,
    },
    named: { different: names(different), uncompared: names(uncompared) },
  };
}

/** What speaks against the shape, whatever its share of the traffic. */
function isDifferent(statement: StatementSummary): boolean {
  const compared = count(statement, isCompared);
  const mismatches = count(statement, isMismatch);
  return mismatches >= MIN_DIFFERENT && 2 * mismatches >= compared ||
    isSystematic(mismatches, compared, MISMATCH_SHARE);
}

/** BEGIN and the like that did not differ: what followed from another's error says nothing of it. */
function isControl(statement: StatementSummary): boolean {
  return (statement.results[Result.matchControl] ?? 0) > 0 &&
    count(statement, isMismatch) === 0;
}

/** Too little is known of it: no pair was equal, or more than chance may take were not compared. */
function isUncompared(statement: StatementSummary): boolean {
  const compared = count(statement, isCompared);
  const unknown = count(
    statement,
    (result) => !isCompared(result) && !isAside(result),
  );
  return count(statement, isEqual) === 0 ||
    isSystematic(unknown, unknown + compared);
}

function count(
  { results }: StatementSummary,
  which: (result: number) => boolean,
): number {
  return results.reduce((sum, n, i) => sum + (which(i) ? n : 0), 0);
}
