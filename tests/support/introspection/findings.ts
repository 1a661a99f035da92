import { isMismatch, RESULTS } from "../../../src/stats/mod.ts";
import { TestProxy } from "../proxy.ts";
import type { Cluster } from "../cluster.ts";
import { waitFor } from "../wait.ts";
import type { IntrospectionTool } from "./tools.ts";

/** What was said of a tool's statements. */
export interface Findings {
  /** Statements by result. */
  readonly counts: Readonly<Record<string, number>>;
  /** Each statement that has a mismatch. */
  readonly mismatches: readonly Finding[];
}

/** A statement with a result that is not a match. */
export interface Finding {
  readonly result: string;
  readonly text: string;
  /** Where the first example differs. */
  readonly place: string | null;
  readonly primary: string | null;
  readonly mirror: string | null;
}

/** Runs a tool through a proxy of its own, and gives what was said of its statements. */
export async function findingsOf(
  tool: IntrospectionTool,
  primary: Cluster,
  mirror: Cluster,
): Promise<Findings> {
  await using proxy = await TestProxy.start({
    primary,
    mirror,
    general: {
      mirror_examples: "clear",
      mirror_pacing: "asap",
      mirror_queue: 100_000,
      mirror_timeout: 60_000,
    },
  });
  await tool.run(proxy.port);
  const ledger = await proxy.settled(60_000);
  if (ledger.replayed !== ledger.seen) {
    throw new Error(`Not all was replayed: ${JSON.stringify(ledger)}`);
  }
  const judged = Object.values(ledger.statements).reduce((a, b) => a + b, 0);
  const summaries = () => proxy.supervisor.statements();
  await waitFor(
    "all statements to be reported",
    () => summaries().reduce((sum, { calls }) => sum + calls, 0) === judged,
    10_000,
  );
  return {
    counts: ledger.statements,
    mismatches: summaries().flatMap(({ text, results, examples }) =>
      RESULTS.flatMap((result, i) => {
        if (!isMismatch(i) || (results[i] ?? 0) === 0) return [];
        const example = examples.find((one) => one.result === result);
        return [{
          result,
          text,
          place: example?.difference ?? null,
          primary: example?.primary.detail ?? null,
          mirror: example?.mirror.detail ?? null,
        }];
      })
    ),
  };
}
