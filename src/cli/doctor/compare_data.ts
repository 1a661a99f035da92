import type { Finding } from "./finding.ts";
import { byName, isTrue, type Row, rowsOf, type Snapshot } from "./snapshot.ts";

/** Estimates differ by themselves: only much is worth a line. */
const MANY_ROWS = 1_000;
const ROWS_RATIO = 1.1;

/** Sequences behind the primary's. The primary was read first, so they really are. */
export function compareSequences(
  primary: Snapshot,
  mirror: Snapshot,
): Finding[] {
  const after = byName(rowsOf(mirror, "sequences"));
  return rowsOf(primary, "sequences").flatMap((before): Finding[] => {
    const other = after.get(before.name ?? "");
    if (other === undefined || before.last_value == null) return [];
    if (!isTrue(other.readable)) return [];
    const down = before.increment?.startsWith("-") === true;
    const one = BigInt(before.last_value);
    const two = other.last_value == null ? undefined : BigInt(other.last_value);
    if (two !== undefined && (down ? two <= one : two >= one)) return [];
    return [{
      severity: "error",
      group: "data",
      rule: "sequence_behind",
      object: `sequence ${before.name}`,
      what: two === undefined
        ? "was never used on the mirror"
        : "is behind on the mirror",
      primary: before.last_value,
      mirror: other.last_value ?? "not used",
      advice:
        "Logical replication leaves sequences behind: new keys would collide. Set it with setval (with traffic on, run this again first)",
    }];
  });
}

/** Tables with far more or fewer rows, by the planner's estimate. */
export function compareRowCounts(
  primary: Snapshot,
  mirror: Snapshot,
): Finding[] {
  const after = byName(rowsOf(mirror, "relations"));
  return rowsOf(primary, "relations").flatMap((before): Finding[] => {
    const other = after.get(before.name ?? "");
    if (other === undefined || !isTrue(before.has_rows)) return [];
    const [one, two] = [estimate(before), estimate(other)];
    // -1: never counted, which is said elsewhere.
    if (one < 0 || two < 0 || Math.max(one, two) < MANY_ROWS) return [];
    if (Math.max(one, two) <= ROWS_RATIO * Math.min(one, two)) return [];
    return [{
      severity: two === 0 ? "error" : "warning",
      group: "data",
      rule: "row_count",
      object: `${before.kind} ${before.name}`,
      what: two === 0
        ? "is empty on the mirror, by the planner's estimate"
        : "has another number of rows, by the planner's estimate",
      primary: `about ${one}`,
      mirror: `about ${two}`,
      advice: "Run ANALYZE on both, check again, and load what is missing",
    }];
  });
}

/** Tables that the mirror's planner knows nothing of. */
export function inspectStatistics(
  mirror: Snapshot,
  primary?: Snapshot,
): Finding[] {
  const known = byName(rowsOf(mirror, "statistics"));
  const before = byName(rowsOf(primary ?? mirror, "relations"));
  return rowsOf(mirror, "relations").flatMap((row): Finding[] => {
    if (!isTrue(row.has_rows) || isTrue(row.analyzed)) return [];
    if (known.has(row.name ?? "")) return [];
    // A physical replica has the primary's statistics, of empty tables none.
    if (estimate(row) === 0) return [];
    const one = before.get(row.name ?? "");
    const counted = primary === undefined || one === undefined
      ? undefined
      : estimate(one);
    if (counted === 0) return [];
    return [{
      // Not on the primary either: both guess.
      severity: counted === -1 ? "note" : "warning",
      group: "data",
      rule: "never_analyzed",
      object: `${row.kind} ${row.name}`,
      what: "was never analysed on the mirror: its plans are guesses",
      advice: "Run ANALYZE on the mirror (vacuumdb --analyze-in-stages)",
    }];
  });
}

/** What is there but does not work: invalid indexes, constraints not validated. */
export function inspectValidity(mirror: Snapshot): Finding[] {
  const indexes = rowsOf(mirror, "indexes").filter((row) => !isTrue(row.valid));
  const constraints = rowsOf(mirror, "constraints")
    .filter((row) => !isTrue(row.valid));
  return [
    ...indexes.map(({ name }): Finding => ({
      severity: "error",
      group: "data",
      rule: "index_invalid",
      object: `index ${name}`,
      what: "is invalid on the mirror: no plan uses it",
      advice: "Run REINDEX INDEX CONCURRENTLY on the mirror, or drop it",
    })),
    ...constraints.map(({ name }): Finding => ({
      severity: "warning",
      group: "data",
      rule: "constraint_not_validated",
      object: `constraint ${name}`,
      what: "is not validated on the mirror: rows from before may break it",
      advice: "Run ALTER TABLE … VALIDATE CONSTRAINT on the mirror",
    })),
  ];
}

function estimate(row: Row): number {
  return Number(row.estimated_rows ?? -1);
}
