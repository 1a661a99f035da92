import assert from "node:assert/strict";
import type { StatsSnapshot } from "../../src/stats/mod.ts";
import type { Ledger } from "./proxy.ts";

/** The counts of all reasons together. */
export function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, n) => total + n, 0);
}

/** seen = excluded + dropped + replayed + failed, nothing pending. */
export function assertClosed(ledger: Ledger): void {
  assert.equal(ledger.pending, 0, JSON.stringify(ledger));
  assert.equal(
    ledger.seen,
    sum(ledger.excluded) + sum(ledger.dropped) + ledger.replayed +
      sum(ledger.failed),
    JSON.stringify(ledger),
  );
}

/** seen = excluded + dropped + replayed + failed for each pair and user, nothing pending. */
export function assertPairsClosed(
  snapshot: StatsSnapshot,
  expected: readonly string[],
): void {
  const sums = (name: string) => {
    const result = new Map<string, number>();
    for (const { labels, value } of snapshot.get(name)?.series ?? []) {
      const key = `${labels.database}/${labels.mirror}`;
      result.set(key, (result.get(key) ?? 0) + value);
    }
    return (key: string) => result.get(key) ?? 0;
  };
  const seen = snapshot.get("mirror_requests_total")?.series ?? [];
  const pairs = new Set(
    seen.map(({ labels }) => `${labels.database}/${labels.mirror}`),
  );
  assert.deepEqual([...pairs].sort(), expected);
  for (const pair of pairs) {
    const outcomes = ["excluded", "dropped", "mirrored", "failed"].map((name) =>
      sums(`mirror_requests_${name}_total`)(pair)
    );
    assert.equal(
      sums("mirror_requests_total")(pair),
      outcomes.reduce((total, n) => total + n, 0),
      `${pair}: ${outcomes}`,
    );
    assert.equal(sums("mirror_pending_requests")(pair), 0, pair);
  }
}

/** Whether a result of a statement, by name, is a difference. */
export function isMismatch(result: string): boolean {
  return result.startsWith("mismatch_");
}

/** All statements of a run gave the primary's result; BEGIN and the like may be among them. */
export function assertAllMatch(
  { statements }: Ledger,
  message = JSON.stringify(statements),
): void {
  const { match, match_control: _control, ...others } = statements;
  assert.ok((match ?? 0) > 0, message);
  assert.deepEqual(others, {}, message);
}
