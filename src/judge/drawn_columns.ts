import { type Mask, MASKS } from "../sql/trait.ts";

/** Columns of one mirror that are remembered. */
const MAX_COLUMNS = 10_000;

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
}

type Mutable = { -readonly [Key in keyof DrawnColumn]: DrawnColumn[Key] };
