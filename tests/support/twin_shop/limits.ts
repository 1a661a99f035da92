import assert from "node:assert/strict";
import { shares, type TwinRun } from "./run.ts";
import { unequalRows } from "./tables.ts";

/** What a run may come to at most. */
export interface TwinLimits {
  /** Statements that failed on the mirror only. */
  readonly errors: number;
  /** Of all statements. */
  readonly mismatchShare: number;
  readonly noiseShare: number;
  readonly orderBreaks: number;
  /** Of all requests; those that were not replayed. */
  readonly lostShare: number;
  /** Rows of all tables that differ, or that one server has alone. */
  readonly unequalRows: number;
}

/** Two equal servers are equal afterwards. */
export const TWIN_GOAL: TwinLimits = {
  errors: 0,
  mismatchShare: 0,
  noiseShare: 0.005,
  orderBreaks: 0,
  lostShare: 0.01,
  unequalRows: 0,
};

/** @throws {AssertionError} with what is above its limit, and the run. */
export function assertTwin(
  run: TwinRun,
  limits: Partial<TwinLimits> = {},
): void {
  const { mismatches, noise } = shares(run);
  const { seen, replayed, queryErrors } = run.ledger;
  const figures: TwinLimits = {
    errors: queryErrors,
    mismatchShare: mismatches,
    noiseShare: noise,
    orderBreaks: run.orderBreaks,
    lostShare: 1 - replayed / seen,
    unequalRows: unequalRows(run.tables),
  };
  const allowed = { ...TWIN_GOAL, ...limits };
  const above = Object.entries(figures).filter(([name, figure]) =>
    // Not a number is above any limit.
    !(figure <= allowed[name as keyof TwinLimits])
  );
  assert.deepEqual(run.unexpected, []);
  assert.deepEqual(
    Object.fromEntries(above),
    {},
    `Above the limits: ${JSON.stringify(run, null, 1)}`,
  );
}
