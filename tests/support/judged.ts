import assert from "node:assert/strict";
import postgres from "postgres";
import type { Cluster } from "./cluster.ts";
import { type ProxyOptions, TestProxy } from "./proxy.ts";
import { waitFor } from "./wait.ts";
import { RESULTS, type StatementSummary } from "../../src/stats/mod.ts";

/** Gives a server a new `public`, with `schema` in it. */
export async function prepare(cluster: Cluster, schema: string): Promise<void> {
  await run(cluster, "drop schema public cascade; create schema public");
  await run(cluster, schema);
}

/** Runs statements on a server itself. */
export async function run(
  cluster: Pick<Cluster, "url">,
  sql: string,
): Promise<void> {
  const connection = postgres(cluster.url(), { max: 1, onnotice() {} });
  try {
    await connection.unsafe(sql).simple();
  } finally {
    await connection.end();
  }
}

/** Runs statements through a proxy, in the simple and the extended protocol, and gives what is known of each. */
export async function judge(
  primary: Cluster,
  mirror: Pick<Cluster, "host" | "port">,
  statements: readonly string[],
  rounds: number,
  options: Pick<ProxyOptions, "general" | "more"> = {},
): Promise<readonly StatementSummary[]> {
  await using proxy = await TestProxy.start({
    primary,
    mirror,
    ...options,
    // A busy machine is none of the mirror's failures.
    general: { connect_timeout: 60_000, ...options.general },
  });
  const sql = postgres(proxy.url(), {
    max: 1,
    fetch_types: false,
    onnotice() {},
  });
  for (let i = 0; i < rounds; i++) {
    for (const statement of statements) {
      const query = sql.unsafe(statement, [], { prepare: i % 2 === 1 });
      await query.catch(() => {});
    }
  }
  await sql.end();
  const ledger = await proxy.settled();
  assert.equal(ledger.replayed, ledger.seen, JSON.stringify(ledger));
  const calls = (summaries: readonly StatementSummary[]) =>
    summaries.reduce((sum, { calls }) => sum + calls, 0);
  await waitFor(
    "the statements to be reported",
    () => calls(proxy.supervisor.statements()) >= rounds * statements.length,
    5_000,
  );
  return proxy.supervisor.statements();
}

/** Counts by result, over all statements. */
export function resultsOf(
  summaries: readonly StatementSummary[],
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { results } of summaries) {
    results.forEach((count, i) => {
      const name = RESULTS[i] as string;
      if (count > 0) counts[name] = (counts[name] ?? 0) + count;
    });
  }
  return counts;
}
