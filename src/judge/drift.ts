import type { Catalog } from "../catalog/mod.ts";
import type { Shape } from "../sql/shape.ts";
import { chanceColumnName } from "../stats/mod.ts";
import { Result } from "../stats/ledger.ts";
import { sqlstate } from "../wire/mod.ts";
import {
  type DrawnColumn,
  type DrawnColumns,
  isMoment,
} from "./drawn_columns.ts";
import type { Causes } from "./surroundings.ts";

const NONE: readonly string[] = [];
const UNIQUE_VIOLATION = sqlstate("23505");
const FOREIGN_KEY_VIOLATION = sqlstate("23503");

/** Results that other values of a column may lead to. */
const RESULTS: ReadonlySet<number> = new Set([
  Result.noiseLimit,
  Result.noiseTies,
  Result.noiseTimeBoundary,
  Result.noiseVolatile,
  Result.noiseConcurrentWrite,
  Result.mismatchRows,
  Result.mismatchRowCount,
  // How many rows an UPDATE has found.
  Result.mismatchCommandTag,
  Result.mismatchErrorOnMirror,
  Result.mismatchErrorOnPrimary,
  Result.mismatchSqlstate,
]);

const WORD = /[\p{L}_][\p{L}\p{N}_$]*/gu;

/** By what a column's other values may make a statement differ: as a key, as one that a row refers to, or by themselves. */
type Way = "unique key" | "foreign key" | "value";

/** What is known of a statement, until something else is drawn. */
interface Known {
  readonly version: number;
  readonly ways: Map<Way, readonly string[]>;
  isNoted: boolean;
}

/** Whether a key of the mirror's own may be why only one side has refused a statement. */
export function isKeyError(code: number): boolean {
  return code === UNIQUE_VIOLATION || code === FOREIGN_KEY_VIOLATION;
}

/**
 * Whether a difference behind which these columns may stand says nothing of the
 * mirror. That a number is there already does: whatever chance gave, its
 * sequence gives numbers that rows have.
 */
export function mayBeDrift(
  columns: readonly string[],
  mirrorSqlstate: string | null,
): boolean {
  return columns.length > 0 && mirrorSqlstate !== "23505";
}

const drifts = new WeakMap<Catalog, Drift>();

/** That of a catalog and its mirror. */
export function driftOf(catalog: Catalog, drawn: DrawnColumns): Drift {
  let drift = drifts.get(catalog);
  if (drift === undefined) {
    drifts.set(catalog, drift = new Drift(catalog, drawn));
  }
  return drift;
}

/**
 * Which columns that the mirror has drawn by itself may stand behind a
 * difference. It is a likely cause and no excuse: a defect of the same relation
 * looks the same, so that such a difference makes the verdict INCONCLUSIVE. A
 * relation that has nothing to do with them is never blamed on them.
 */
export class Drift {
  readonly #catalog: Catalog;
  readonly #drawn: DrawnColumns;
  readonly #known = new WeakMap<Shape, Known>();

  constructor(catalog: Catalog, drawn: DrawnColumns) {
    this.#catalog = catalog;
    this.#drawn = drawn;
  }

  /**
   * As `schema.relation.column`.
   *
   * @param result a position in RESULTS.
   * @param causes what both sides failed with.
   * @param draws what the statement itself draws on the mirror, also where that has refused it.
   */
  behind(
    shape: Shape,
    result: number,
    { primary, mirror }: Causes,
    draws: readonly DrawnColumn[],
  ): readonly string[] {
    if (!RESULTS.has(result)) return NONE;
    const codes = [primary, mirror].filter((code) => code !== 0);
    // What is missing, forbidden or ill-formed is so with any values.
    if (!codes.every(isKeyError)) return NONE;
    if (codes.length === 0) return this.#columns(shape, "value");
    if (codes.includes(FOREIGN_KEY_VIOLATION)) {
      return this.#columns(shape, "foreign key");
    }
    const own = draws.filter((one) => this.#isKey(one))
      .map((one) => this.#nameOf(one));
    return [...new Set([...this.#columns(shape, "unique key"), ...own])];
  }

  /** A statement was run on the mirror: what it has written by drawn columns is other rows there, perhaps. */
  note(shape: Shape): void {
    const { insertion, writes, calls } = shape;
    // Rows of values are the same, whatever numbers they get.
    const isPlain = insertion !== undefined && insertion.source !== "query";
    if (writes.length + calls.length === 0 || isPlain) return;
    const known = this.#of(shape);
    if (known.isNoted) return;
    known.isNoted = true;
    this.spread(shape, this.#columns(shape, "value"));
    // What triggers and cascades make of a new value they do not tell.
    const set = this.#onlySet(shape);
    const reach = this.#catalog.reachOf({ reads: [], writes, calls });
    for (const relation of set.size > 0 ? reach?.written ?? [] : []) {
      if (!writes.includes(relation)) this.#drawn.spread(relation, set);
    }
  }

  /** Drawn columns that a statement names only to give them a value: that makes nothing else another. */
  #onlySet({ draws, text }: Shape): ReadonlySet<string> {
    const words = text.toLowerCase().match(WORD) ?? [];
    const isOnce = (name: string) =>
      words.filter((word) => word === name.toLowerCase()).length === 1;
    const found = draws.flatMap(({ relation, write: { named } }) =>
      this.#catalog.oids(relation)
        .flatMap((oid) => [...this.#drawn.of(oid)])
        .filter(({ column }) => named.has(column) && isOnce(column))
    );
    return new Set(found.map((one) => this.#nameOf(one)));
  }

  /** What these statements write is other rows by these columns, perhaps. */
  spread(
    { writes, calls }: Pick<Shape, "writes" | "calls">,
    columns: Iterable<string>,
  ): void {
    const [first, ...others] = columns;
    if (first === undefined) return;
    const reach = this.#catalog.reachOf({ reads: [], writes, calls });
    for (const relation of reach?.written ?? writes) {
      this.#drawn.spread(relation, [first, ...others]);
    }
  }

  #of(shape: Shape): Known {
    const version = this.#drawn.version + this.#drawn.spreadVersion;
    let known = this.#known.get(shape);
    if (known?.version !== version) {
      known = { version, ways: new Map(), isNoted: false };
      this.#known.set(shape, known);
    }
    return known;
  }

  #columns(shape: Shape, way: Way): readonly string[] {
    const { ways } = this.#of(shape);
    let columns = ways.get(way);
    if (columns === undefined) {
      columns = way === "value"
        ? this.#byValue(shape)
        : this.#byKey(shape, way);
      ways.set(way, columns);
    }
    return columns;
  }

  /** Those that a statement names, of relations that it names, and all behind views and functions; and those by which rows are others. */
  #byValue(shape: Shape): readonly string[] {
    const { reads, writes, calls, text } = shape;
    const direct = new Set([...reads, ...writes]);
    const reach = this.#catalog.reachOf({
      reads: [...direct],
      writes: [],
      calls,
    });
    const words = wordsIn(text);
    // Whoever names a table names the columns of its partitions.
    const named = new Set(
      [...direct].flatMap((name) =>
        this.#oids(shape, name).flatMap((
          oid,
        ) => [...this.#catalog.familyOf(oid)])
      ),
    );
    const set = this.#onlySet(shape);
    const found: string[] = [];
    for (const name of reach?.touched ?? direct) {
      found.push(...this.#drawn.spreadTo(name));
      for (const one of this.#drawnIn(shape, name)) {
        const isInner = !named.has(one.oid) && !isMoment(one.mask);
        const column = this.#nameOf(one);
        const isNamed = words.has(one.column.toLowerCase()) && !set.has(column);
        if (isInner || isNamed) found.push(column);
      }
    }
    return [...new Set(found)];
  }

  /** Those of keys, of relations that are written, or are looked at because of a foreign key. */
  #byKey(shape: Shape, way: Way): readonly string[] {
    const { writes, calls } = shape;
    const reach = this.#catalog.reachOf({ reads: [], writes, calls });
    const names = way === "unique key" ? reach?.written : reach?.touched;
    const found: string[] = [];
    for (const name of names ?? writes) {
      found.push(...this.#drawn.spreadTo(name));
      for (const one of this.#drawnIn(shape, name)) {
        if (this.#isKey(one)) found.push(this.#nameOf(one));
      }
    }
    return [...new Set(found)];
  }

  #drawnIn(shape: Shape, name: string): readonly DrawnColumn[] {
    return this.#oids(shape, name).flatMap((oid) => [...this.#drawn.of(oid)]);
  }

  /** The relations of a name, with the schema that the statement gives it. */
  #oids({ sources, draws }: Shape, name: string): readonly string[] {
    const keys = [...sources, ...draws.map(({ relation }) => relation)]
      .filter((key) => key.slice(key.indexOf("\0") + 1) === name);
    return (keys.length === 0 ? [name] : keys)
      .flatMap((key) => this.#catalog.oids(key));
  }

  #nameOf({ oid, column }: Pick<DrawnColumn, "oid" | "column">): string {
    const relation = this.#catalog.nameOf(oid);
    return chanceColumnName({ relation, column });
  }

  #isKey({ oid, column }: Pick<DrawnColumn, "oid" | "column">): boolean {
    return this.#catalog.uniquesOf(oid).some((key) => key.includes(column));
  }
}

function wordsIn(text: string): ReadonlySet<string> {
  return new Set(text.toLowerCase().match(WORD));
}
