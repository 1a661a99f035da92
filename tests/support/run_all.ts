import postgres from "postgres";
import type { TestProxy } from "./proxy.ts";
import { waitFor } from "./wait.ts";
import type { StatementSummary } from "../../src/stats/mod.ts";

/** Runs statements one after the other, in the simple protocol and prepared, and gives what is known of each. */
export async function runAll(
  proxy: TestProxy,
  statements: readonly string[],
  protocols: readonly boolean[],
): Promise<readonly StatementSummary[]> {
  const before = callsOf(proxy);
  const sql = postgres(proxy.url(), {
    max: 1,
    fetch_types: false,
    onnotice() {},
  });
  const known = new Set(proxy.supervisor.statements().map(keyOf));
  for (const prepare of protocols) {
    for (const statement of statements) {
      const query = prepare
        ? sql.unsafe(statement, [], { prepare })
        : sql.unsafe(statement).simple();
      // What fails is judged, too.
      await query.catch(() => {});
    }
  }
  await sql.end();
  await proxy.settled();
  await waitFor(
    "the statements to be reported",
    () => callsOf(proxy) >= before + statements.length * protocols.length,
    10_000,
  );
  return proxy.supervisor.statements().filter((one) => !known.has(keyOf(one)));
}

function keyOf({ fingerprint }: StatementSummary): string {
  return fingerprint;
}

function callsOf(proxy: TestProxy): number {
  return proxy.supervisor.statements().reduce(
    (sum, { calls }) => sum + calls,
    0,
  );
}
