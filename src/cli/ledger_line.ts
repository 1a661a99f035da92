import type { StatsSnapshot } from "../stats/mod.ts";

/** The ledger summed over all mirrors, as the properties of one log line. */
export function ledgerLine(snapshot: StatsSnapshot): Record<string, number> {
  const sum = (name: string) =>
    (snapshot.get(name)?.series ?? [])
      .reduce((total, { value }) => total + value, 0);
  return {
    seen: sum("mirror_requests_total"),
    excluded: sum("mirror_requests_excluded_total"),
    dropped: sum("mirror_requests_dropped_total"),
    replayed: sum("mirror_requests_mirrored_total"),
    failed: sum("mirror_requests_failed_total"),
    pending: sum("mirror_pending_requests"),
  };
}
