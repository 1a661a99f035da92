import type { Catalog, CatalogColumn } from "../catalog/mod.ts";
import type { Reply } from "../judge/mod.ts";
import type { Insertion } from "../sql/mod.ts";
import type { Shape } from "../sql/shape.ts";
import type { GivenColumn, GivenColumns } from "./given_columns.ts";
import type { Objection } from "./own_defaults.ts";
import { sequenceOf } from "./own_numbers.ts";
import { isErrorOf } from "./told_rows.ts";

/** Why the mirror makes a column's values by itself. */
export type OwnReason =
  /** An INSERT leaves the column out, and its answer does not tell it. */
  | "not returned"
  /** currval() or lastval() tell what the mirror drew, where no log says what is to stand in their place. */
  | "currval"
  /** The mirror's answer had another value than it was given. */
  | "not kept"
  /** The mirror refused the statement. */
  | "refused"
  /** The mirror has given numbers that rows had already. */
  | "collided"
  /** `mirror_values = "own"`. */
  | "own"
  /** A trigger sets it. */
  | "trigger"
  /** It is computed from others that the mirror makes by itself. */
  | "computed"
  /** The mirror's user may not insert into it, or a rule of the relation stands before that. */
  | "no privilege"
  | Objection;

/** From so many numbers on that the mirror has refused as taken … */
const TAKEN = 3;
/** … and from such a share of the rows on a sequence is left to it. */
const TAKEN_SHARE = 0.02;
/** Columns that are left to the mirror, which are remembered. */
const MAX_OWN_COLUMNS = 10_000;

/** Hears once of each column that the mirror makes by itself; `*`: of all that have a sequence. */
export type OnOwn = (
  relation: string,
  column: string,
  reason: OwnReason,
) => void;

/**
 * The columns whose values one mirror makes by itself, and why. A sequence is
 * left to it as a whole, whichever columns draw from it.
 */
export class LeftColumns {
  readonly #onOwn: OnOwn;
  readonly #onChange: () => void;
  /** Sequences, and columns without one: see keyOf. */
  readonly #own = new Map<string, OwnReason>();
  /** Those of them that the log would tell. */
  readonly #untold = new Set<string>();
  /** By the same: rows that were given, and numbers that the mirror has refused as taken. */
  readonly #counts = new Map<string, { rows: number; taken: number }>();
  #areSequencesOwn = false;
  /** Columns with the objections to what was told of them that are known … */
  readonly #objections = new Set<string>();
  /** … and by OID and column the one to what was told last. */
  readonly #objected = new Map<string, Objection>();

  /** @param onChange called when other columns are left than before. */
  constructor(onOwn: OnOwn, onChange: () => void) {
    this.#onOwn = onOwn;
    this.#onChange = onChange;
  }

  /** Whether the mirror makes a column's values by itself, whatever it is told. */
  has(oid: string, column: GivenColumn): boolean {
    return this.#own.has(keyOf(oid, column)) ||
      column.nature === "sequence" && this.#areSequencesOwn;
  }

  /** Why it does, or has done so; undefined: nothing is known of that. */
  reasonOf(oid: string, column: CatalogColumn): OwnReason | undefined {
    const left = this.#own.size > 0
      ? this.#own.get(keyOf(oid, column))
      : undefined;
    // A sequence that could not be told anyway is among those that were not.
    if (left !== undefined && left !== "not returned") return left;
    const isDrawn = column.default?.nature === "sequence";
    if (isDrawn && this.#areSequencesOwn) return "currval";
    return this.#objected.get(`${oid} ${column.name}`);
  }

  /** The log tells what answers do not: sequences that were left for want of it are followed. */
  follow(): void {
    for (const key of this.#untold) this.#own.delete(key);
    this.#untold.clear();
    this.#areSequencesOwn = false;
  }

  /** All sequences are left: their numbers are asked for. */
  leaveDrawn(): void {
    if (this.#areSequencesOwn) return;
    this.#areSequencesOwn = true;
    this.#onChange();
    this.#onOwn("*", "*", "currval");
  }

  /** What was told of a column is too far off; undefined: it is not any more. */
  objected(
    { oid, relation }: GivenColumns,
    { name }: GivenColumn,
    objection: Objection | undefined,
  ): void {
    const own = `${oid} ${name}`;
    if (objection === undefined) {
      this.#objected.delete(own);
      return;
    }
    if (this.#objected.has(own) || this.#objected.size < MAX_OWN_COLUMNS) {
      this.#objected.set(own, objection);
    }
    const key = `${own} ${objection}`;
    if (this.#objections.has(key) || this.#objections.size >= MAX_OWN_COLUMNS) {
      return;
    }
    this.#objections.add(key);
    this.#onOwn(relation.replace("\0", "."), name, objection);
  }

  /** A row was given. */
  count(oid: string, column: GivenColumn): void {
    if (column.nature !== "sequence") return;
    const key = keyOf(oid, column);
    const counts = this.#counts.get(key);
    if (counts !== undefined) counts.rows++;
    else if (this.#counts.size < MAX_OWN_COLUMNS) {
      this.#counts.set(key, { rows: 1, taken: 0 });
    }
  }

  /**
   * The mirror has refused what the primary has not. If rows are there already,
   * numbers are given, perhaps, of which others are drawn unseen: both meet.
   */
  refused(
    { draws }: Shape,
    catalog: Catalog,
    mirror: Reply | undefined,
  ): void {
    if (!isErrorOf(mirror, UNIQUE_VIOLATION)) return;
    for (const { relation, write } of draws) {
      if (!write.inserts) continue;
      for (const oid of catalog.oids(relation)) {
        for (const column of catalog.columnsOf(oid) ?? []) {
          const counts = this.#counts.get(keyOf(oid, column));
          if (counts === undefined) continue;
          const isMuch = ++counts.taken >= TAKEN &&
            counts.taken >= TAKEN_SHARE * counts.rows;
          if (isMuch) this.leave(oid, relation, column, "collided");
        }
      }
    }
  }

  /** All sequences of a relation, or of those that a view stands for, but for columns that have values. */
  leaveAll(
    relation: string,
    catalog: Catalog,
    named: ReadonlyMap<string, unknown>,
  ): void {
    const name = relation.slice(relation.indexOf("\0") + 1);
    const all = catalog.isView(relation)
      ? catalog.reachOf({ reads: [], writes: [name], calls: [] })
        ?.written ?? []
      : [relation];
    for (const one of all) {
      for (const oid of catalog.oids(one)) {
        for (const column of catalog.columnsOf(oid) ?? []) {
          if (column.default?.nature !== "sequence") continue;
          if (named.has(column.name)) continue;
          this.leave(oid, one, column, "not returned");
        }
      }
    }
  }

  /** A column's sequence in a relation, if it has one. */
  leaveColumn(
    { relation }: Insertion,
    name: string,
    catalog: Catalog,
  ): void {
    for (const oid of catalog.oids(relation)) {
      const column = catalog.columnsOf(oid)?.find((one) => one.name === name);
      if (column?.default?.nature !== "sequence") continue;
      this.leave(oid, relation, column, "not returned");
    }
  }

  /** Sequences that a statement draws from, and that are not among those that are told. */
  leaveSequences(
    insertion: Insertion,
    catalog: Catalog,
    told: ReadonlySet<string>,
  ): void {
    if (catalog.isView(insertion.relation)) {
      return this.leaveAll(insertion.relation, catalog, new Map());
    }
    for (const oid of catalog.oids(insertion.relation)) {
      const columns = catalog.columnsOf(oid) ?? [];
      const names = columns.map(({ name }) => name);
      for (const column of columns) {
        const { name, default: own } = column;
        if (own?.nature !== "sequence" || told.has(name)) continue;
        if (!isDrawn(insertion, name, names)) continue;
        this.leave(oid, insertion.relation, column, "not returned");
      }
    }
  }

  leave(
    oid: string,
    relation: string,
    column: KeyedColumn,
    reason: OwnReason,
  ): void {
    const key = keyOf(oid, column);
    if (this.#own.has(key) || this.#own.size >= MAX_OWN_COLUMNS) return;
    this.#own.set(key, reason);
    if (reason === "not returned") this.#untold.add(key);
    this.#onChange();
    this.#onOwn(relation.replace("\0", "."), column.name, reason);
  }
}

const UNIQUE_VIOLATION = /^23505$/;

/** What a column is known by: its sequence, which others may share, or else itself. */
type KeyedColumn =
  & Pick<GivenColumn, "name">
  & Partial<Pick<GivenColumn, "expression">>
  & Partial<Pick<CatalogColumn, "replaceable">>;

function keyOf(
  oid: string,
  { name, expression, replaceable = expression }: KeyedColumn,
): string {
  return sequenceOf(replaceable ?? "") ?? `${oid} ${name}`;
}

/** Whether a column gets its default, in some rows at least. */
function isDrawn(
  { columns, source, width, defaults }: Insertion,
  column: string,
  names: readonly string[],
): boolean {
  const place = (columns.length > 0 ? columns : names).indexOf(column);
  if (source === "defaults") return true;
  if (columns.length > 0 && place < 0) return true;
  if (source !== "values" && source !== "constants") return false;
  return place >= width || defaults.some((at) => at % width === place);
}
