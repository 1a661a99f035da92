import type { Catalog } from "../catalog/mod.ts";
import { type DrawnColumn, isMoment } from "../judge/mod.ts";
import { type ChanceColumn, chanceColumnName } from "../stats/mod.ts";
import type { GivenColumns } from "./given_columns.ts";
import type { OwnReason } from "./left_columns.ts";
import { sequenceOf } from "./own_numbers.ts";

/** Columns of one mirror that are told of. */
const MAX_COLUMNS = 10_000;

type Entry = Mutable<Omit<ChanceColumn, "database" | "mirror" | "drawn">> & {
  readonly drawn: Record<string, number>;
};
type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** For people: of each column that chance fills, how often one mirror was given the primary's values, and how often and why it has made its own. */
export class ChanceColumns {
  readonly #entries = new Map<string, Entry>();
  readonly #changed = new Set<Entry>();
  /** A statement draws the same ones each time. */
  readonly #drawn = new WeakMap<DrawnColumn, Entry>();
  readonly #onFull: () => void;
  #isFull = false;

  /** @param onFull hears once of columns that are not told of. */
  constructor(onFull: () => void) {
    this.#onFull = onFull;
  }

  /** So many rows of a statement have the primary's values. */
  given(
    { oid, columns, updates }: GivenColumns,
    rows: number,
    catalog: Catalog,
  ): void {
    const names = new Set(columns.map(({ name }) => name));
    const all = [...columns, ...updates.filter(({ name }) => !names.has(name))];
    for (const { name, nature } of all) {
      const entry = this.#entry(oid, name, nature, catalog);
      if (entry === undefined) continue;
      entry.givenRows += rows;
      this.#changed.add(entry);
    }
  }

  /** A statement was run for which the mirror has made the values. */
  drawn(column: DrawnColumn, reason: OwnReason, catalog: Catalog): void {
    const entry = this.#drawn.get(column) ?? this.#find(column, catalog);
    if (entry === undefined) return;
    entry.drawn[reason] = (entry.drawn[reason] ?? 0) + 1;
    entry.since ??= Date.now();
    this.#changed.add(entry);
  }

  /** What has changed since it was last asked for, at most `limit`. */
  takeChanged(limit: number): Omit<ChanceColumn, "database" | "mirror">[] {
    const taken = [...this.#changed].slice(0, limit);
    for (const entry of taken) this.#changed.delete(entry);
    return taken.map((entry) => ({ ...entry, drawn: { ...entry.drawn } }));
  }

  #find(drawn: DrawnColumn, catalog: Catalog): Entry | undefined {
    const { oid, column, mask } = drawn;
    const own = mask === "sequence" ? "sequence" : "chance";
    const kind = isMoment(mask) ? "time" : own;
    const entry = this.#entry(oid, column, kind, catalog);
    if (entry !== undefined) this.#drawn.set(drawn, entry);
    return entry;
  }

  #entry(
    oid: string,
    column: string,
    kind: ChanceColumn["kind"],
    catalog: Catalog,
  ): Entry | undefined {
    const relation = catalog.nameOf(oid);
    const key = chanceColumnName({ relation, column });
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    if (this.#entries.size >= MAX_COLUMNS) {
      if (!this.#isFull) this.#onFull();
      this.#isFull = true;
      return undefined;
    }
    const own = catalog.columnsOf(oid)?.find(({ name }) => name === column);
    const entry: Entry = {
      relation,
      column,
      kind,
      sequence: sequenceName(own?.replaceable ?? ""),
      givenRows: 0,
      drawn: {},
      since: null,
    };
    this.#entries.set(key, entry);
    return entry;
  }
}

/** The sequence of a default, as people write it. */
function sequenceName(expression: string): string | null {
  const [, name] = /^'(.*)'::regclass$/.exec(sequenceOf(expression) ?? "") ??
    [];
  return name?.replaceAll("''", "'") ?? null;
}
