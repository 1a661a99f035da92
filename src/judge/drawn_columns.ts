import { type Mask, MASKS } from "../sql/trait.ts";

/** Columns of one mirror that are remembered. */
const MAX_COLUMNS = 10_000;
/** Relations whose rows differ by drawn columns, which are remembered, and columns of each. */
const MAX_RELATIONS = 10_000;
const MAX_SPREAD = 100;

/** A column of which some rows hold what the mirror has drawn by itself. */
export interface DrawnColumn {
  /** The relation's. */
  readonly oid: string;
  readonly relation: string;
  readonly column: string;
  /** In what its values may differ from the primary's. */
  readonly mask: Mask;
  /** The longest that the mirror has drawn one behind the primary, in microseconds. */
  readonly lagUs: number;
}

/** Those that tell a moment. */
const MOMENTS: ReadonlySet<Mask> = new Set([
  "time",
  "age",
  "moment",
  "boundary",
]);
/** Those that nothing tells. */
const DRAWS: ReadonlySet<Mask> = new Set(["sequence", "chance"]);

/** Whether a value with the mask is another one each time it is drawn. */
export function isDrawn(mask: Mask | undefined): mask is Mask {
  return mask !== undefined && (MOMENTS.has(mask) || DRAWS.has(mask));
}

/** Whether it tells a moment. */
export function isMoment(mask: Mask): boolean {
  return MOMENTS.has(mask);
}

/**
 * The columns that a mirror has given values of its own since the proxy began:
 * by defaults, triggers and expressions. What is read from them later differs
 * from the primary as it did when it was drawn. Rows from before are equal.
 */
export class DrawnColumns {
  readonly #columns = new Map<string, Map<string, Mutable>>();
  /** By the relation's name without its schema: the names of the columns. */
  readonly #spread = new Map<string, Set<string>>();
  /** Another one once rows of a relation differ by a column that they did not differ by. */
  spreadVersion = 0;
  #size = 0;
  #version = 0;

  /** Another one once a column is drawn that was not, or differs in more. */
  get version(): number {
    return this.#version;
  }

  get(oid: string, column: string): DrawnColumn | undefined {
    return this.#columns.get(oid)?.get(column);
  }

  /** All of a relation. */
  of(oid: string): Iterable<DrawnColumn> {
    return this.#columns.get(oid)?.values() ?? [];
  }

  /** Takes a column that was drawn; beyond the bound it is forgotten, and its rows are mismatches. */
  add(drawn: DrawnColumn): void {
    const { oid, column, mask, lagUs } = drawn;
    let columns = this.#columns.get(oid);
    if (columns === undefined) {
      if (this.#size >= MAX_COLUMNS) return;
      this.#columns.set(oid, columns = new Map());
    }
    const known = columns.get(column);
    if (known !== undefined) {
      known.lagUs = Math.max(known.lagUs, lagUs);
      if (MASKS.indexOf(mask) <= MASKS.indexOf(known.mask)) return;
      known.mask = mask;
    } else {
      if (this.#size >= MAX_COLUMNS) return;
      this.#size++;
      columns.set(column, { ...drawn });
    }
    this.#version++;
  }

  /** Rows of a relation are other ones on the mirror, perhaps: they were found by these columns, or not written because of them. */
  spread(relation: string, columns: Iterable<string>): void {
    let known = this.#spread.get(relation);
    if (known === undefined) {
      if (this.#spread.size >= MAX_RELATIONS) return;
      this.#spread.set(relation, known = new Set());
    }
    const before = known.size;
    for (const column of columns) {
      if (known.size < MAX_SPREAD) known.add(column);
    }
    if (known.size > before) this.spreadVersion++;
  }

  /** The columns by which a relation's rows may be other ones. */
  spreadTo(relation: string): Iterable<string> {
    return this.#spread.get(relation) ?? [];
  }
}

type Mutable = { -readonly [Key in keyof DrawnColumn]: DrawnColumn[Key] };
