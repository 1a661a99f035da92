import type { SetName } from "./sets.ts";

/** One row, by column name, as text; null is SQL's. */
export type Row = Readonly<Record<string, string | null>>;

/** What the catalogs of one database said, at one moment. */
export interface Snapshot {
  /** The login's user, which is also the replays' on the mirror. */
  readonly user: string;
  readonly sets: Readonly<Partial<Record<SetName, readonly Row[]>>>;
  /** Sets that could not be read, with the reason. */
  readonly unread: Readonly<Partial<Record<SetName, string>>>;
}

/** The rows of a set; none if it could not be read. */
export function rowsOf(snapshot: Snapshot, set: SetName): readonly Row[] {
  return snapshot.sets[set] ?? [];
}

/** The one row of a set. */
export function rowOf(snapshot: Snapshot, set: SetName): Row {
  return rowsOf(snapshot, set)[0] ?? {};
}

/** 15 for 15.18. */
export function majorVersion(snapshot: Snapshot): number {
  return Math.trunc(Number(rowOf(snapshot, "server").version_num) / 10_000);
}

/** Rows by their column `name`. */
export function byName(rows: readonly Row[]): Map<string, Row> {
  return new Map(rows.map((row) => [row.name ?? "", row]));
}

/** SQL's boolean as text. */
export function isTrue(value: string | null | undefined): boolean {
  return value === "t";
}
