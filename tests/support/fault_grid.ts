import assert from "node:assert/strict";
import type { Ledger } from "./proxy.ts";

/** What came of the requests since `before`. */
export function outcome(now: Ledger, before: Ledger): string {
  const parts = now.replayed > before.replayed
    ? [`replayed ${now.replayed - before.replayed}`]
    : [];
  for (const kind of ["excluded", "dropped", "failed"] as const) {
    for (const [reason, count] of Object.entries(now[kind])) {
      const more = count - (before[kind][reason] ?? 0);
      if (more > 0) parts.push(`${kind}{${reason}} ${more}`);
    }
  }
  return parts.join(", ");
}

/** What may become of requests that meet a fault. */
export const SENSIBLE =
  /^(?:replayed|failed\{(?:connection|timeout)\}|dropped\{(?:mirror_down|session_tainted)\})/;
/** Faults that only slow a mirror down cost no request. */
export const HARMLESS: ReadonlySet<string> = new Set([
  "latency",
  "bandwidth",
  "slow_close",
  "slicer",
]);

/** Runs all cells, one at a time on each lane, and prints the table in order. */
export async function runGrid<L, C extends { readonly name: string }>(
  lanes: readonly L[],
  cells: readonly C[],
  run: (lane: L, cell: C) => Promise<string>,
): Promise<void> {
  const table: string[] = [];
  const failures: string[] = [];
  let next = 0;
  await Promise.all(lanes.map(async (lane) => {
    for (let i = next++; i < cells.length; i = next++) {
      const cell = cells[i] as C; // i < length
      try {
        table[i] = `${cell.name} -> ${await run(lane, cell)}`;
      } catch (error) {
        table[i] = `${cell.name} -> FAILED`;
        failures.push(`${cell.name}: ${(error as Error).message}`);
      }
    }
  }));
  console.log(table.join("\n"));
  assert.deepEqual(failures, []);
}
