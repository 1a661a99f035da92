import {
  isAside,
  isCompared,
  isEqual,
  type StatementSummary,
} from "../../src/plugin/api.ts";

/** How many statement shapes there are, and what speaks against some. */
export interface ShapeCounts {
  /** That could be evidence: BEGIN and the like, reads of catalogs and what a rule accepts are not among them. */
  readonly seen: number;
  /** Compared twice or more, and never equal. */
  readonly different: number;
  /** Of which no pair was compared. */
  readonly uncompared: number;
}

/** The shapes, each judged by itself. */
export interface ShapeFindings {
  readonly counts: ShapeCounts;
  /** Those called most first. */
  readonly different: readonly StatementSummary[];
  readonly uncompared: readonly StatementSummary[];
}

/** A shape that differs once may be chance; never equal in two calls it is the shape. */
const MIN_DIFFERENT = 2;

/** Judges each shape by itself, however rare it is among the others. */
export function shapeFindings(
  statements: readonly StatementSummary[],
): ShapeFindings {
  const seen = statements.filter(({ results }) =>
    results.some((count, result) => count > 0 && !isAside(result))
  ).toSorted((a, b) => b.calls - a.calls);
  const different = seen.filter((statement) =>
    count(statement, isEqual) === 0 &&
    count(statement, isCompared) >= MIN_DIFFERENT
  );
  const uncompared = seen.filter((statement) =>
    count(statement, isCompared) === 0
  );
  return {
    counts: {
      seen: seen.length,
      different: different.length,
      uncompared: uncompared.length,
    },
    different,
    uncompared,
  };
}

function count(
  { results }: StatementSummary,
  which: (result: number) => boolean,
): number {
  return results.reduce((sum, n, i) => sum + (which(i) ? n : 0), 0);
}
