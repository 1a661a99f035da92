import {
  isMismatch,
  latencyComparison,
  NO_SKETCH,
  RESULTS,
  type StatementSummary,
  withoutValues,
} from "../../src/plugin/api.ts";

/** Results by position, as histories before version 0.3 hold them. */
const OLD_RESULTS = [
  "match",
  "match_unordered",
  "noise_volatile",
  "noise_ties",
  "noise_volatile", // noise_sequence
  "noise_concurrent_write",
  "noise_concurrency",
  "mismatch_rows",
  "mismatch_row_count",
  "mismatch_columns",
  "mismatch_command_tag",
  "mismatch_error_on_mirror",
  "mismatch_error_on_primary",
  "mismatch_sqlstate",
  "skipped_cascade",
  "skipped_compare_off",
  "skipped_too_large",
  "skipped_ignored",
  "skipped_unparsed",
];

/** A statement's summary as the store holds it: results by name, without values of clients. */
export function storedText(statement: StatementSummary): string {
  return JSON.stringify({
    ...statement,
    results: Object.fromEntries(
      RESULTS.map((result, i) => [result, statement.results[i] ?? 0]),
    ),
    // An example's values are the clients' own: they stay in memory.
    examples: statement.examples.map(withoutValues),
  });
}

/** Reads what {@linkcode storedText} has written, or an older version. */
export function readStored(text: string): StatementSummary {
  // Histories before the sketch knew a sample's figures, which can't be added.
  const {
    results,
    outcomes,
    masked = {},
    drifted = [],
    sketch = NO_SKETCH,
    ...rest
  } = JSON.parse(text);
  const counts = new Map<string, number>();
  const add = (name: string, n: number) =>
    counts.set(name, (counts.get(name) ?? 0) + n);
  if (Array.isArray(results)) {
    results.forEach((n, i) => add(OLD_RESULTS[i] ?? "", Number(n)));
  } else {
    for (const [name, n] of Object.entries(results)) add(name, Number(n));
  }
  return {
    ...rest,
    masked,
    drifted,
    sketch,
    latency: latencyComparison(sketch),
    results: RESULTS.map((result) => counts.get(result) ?? 0),
    // Older versions did not tell SQLSTATEs apart: rules that name none fit.
    outcomes: outcomes ??
      [...counts].flatMap(([result, count]) =>
        count > 0 && isMismatch(RESULTS.findIndex((name) => name === result))
          ? [{
            result,
            mirrorSqlstate: null,
            primarySqlstate: null,
            count,
            requests: 0,
          }]
          : []
      ),
  };
}
