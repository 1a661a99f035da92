import { RESULTS } from "../../src/stats/mod.ts";
import type { TestProxy } from "./proxy.ts";
import { waitFor } from "./wait.ts";

/** A statement with one of its results. */
export interface SeenResult {
  readonly result: string;
  readonly text: string;
  readonly calls: number;
  /** Where the first example differs. */
  readonly place: string | null;
}

/** Waits until all statements are reported; gives those with results of a kind. */
export async function seenResults(
  proxy: TestProxy,
  isOfKind: (result: number) => boolean,
  timeoutMs: number,
): Promise<readonly SeenResult[]> {
  const compared = Object.values(proxy.ledger().statements)
    .reduce((all, n) => all + n, 0);
  const summaries = () => proxy.supervisor.statements();
  await waitFor(
    "all statements to be reported",
    () => summaries().reduce((all, { calls }) => all + calls, 0) >= compared,
    timeoutMs,
  );
  return summaries().flatMap(({ text, results, examples }) =>
    RESULTS.flatMap((result, i) => {
      const calls = results[i] ?? 0;
      if (!isOfKind(i) || calls === 0) return [];
      const example = examples.find((one) => one.result === result);
      return [{ result, text, calls, place: example?.difference ?? null }];
    })
  );
}
