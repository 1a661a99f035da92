import { relationKey } from "../sql/mod.ts";

/** The OID of the database's default collation (catalog/pg_collation.dat). */
const DEFAULT = "100";

/** Answers to COLLATIONS_QUESTION. */
type Rows = readonly (readonly string[])[];

/** How one server sorts. */
interface Collations {
  /** What was sorted. */
  readonly texts: string;
  /** By OID: the order in which the texts came, and a name for people. */
  readonly orders: ReadonlyMap<string, { order: string; name: string }>;
  /** OIDs by column: of those that have not the database's default. */
  readonly columns: ReadonlyMap<string, string>;
}

/** How a column's text is sorted. */
export interface ColumnCollation {
  /** By the database's default, on both servers. */
  readonly isDefault: boolean;
  /** Primary and mirror sort it in different orders. */
  readonly isOtherwise: boolean;
}

/** What is sorted in different orders, for people. */
export interface SortedOtherwise {
  /** Those that stand for each other: `pg_catalog.C on the primary, public.en on the mirror`. */
  readonly collations: readonly string[];
  /** Columns that have one of them on a server, and not as the database's default. */
  readonly columns: readonly string[];
}

/**
 * How primary and mirror sort text, by the collations of their columns: the
 * same texts were sorted under each of them on both servers. Columns are paired
 * by their names. What a server has not told is sorted alike.
 */
export class CollationPair {
  #primary: Collations | undefined;
  #mirror: Collations | undefined;
  #version = 0;

  /** Another one once something else is known. */
  get version(): number {
    return this.#version;
  }

  learn(primary: Rows, mirror: Rows): void {
    this.forget();
    const [theirs, ours] = [primary, mirror].map(read);
    // Other texts are in another order, whatever the collation.
    if (theirs?.texts !== ours?.texts) return;
    this.#primary = theirs;
    this.#mirror = ours;
  }

  /** Until both servers have told again nothing is known. */
  forget(): void {
    this.#version++;
    this.#primary = this.#mirror = undefined;
  }

  /** Whether both servers have told how they sort the same texts. */
  get areKnown(): boolean {
    return this.#primary !== undefined && this.#mirror !== undefined;
  }

  /** Whether text that shows no column is sorted in different orders. */
  get isDefaultOtherwise(): boolean {
    return this.#isOtherwise(DEFAULT, DEFAULT);
  }

  /** Of a column that has a collation. */
  of(schema: string, relation: string, column: string): ColumnCollation {
    const key = keyOf(schema, relation, column);
    const theirs = this.#primary?.columns.get(key) ?? DEFAULT;
    const ours = this.#mirror?.columns.get(key) ?? DEFAULT;
    return {
      isDefault: theirs === DEFAULT && ours === DEFAULT,
      isOtherwise: this.#isOtherwise(theirs, ours),
    };
  }

  /** Whether the collation of a name sorts in different orders. It is known if a column has it on both servers. */
  isNamedOtherwise(name: string): boolean {
    const [theirs, ours] = [this.#primary, this.#mirror].map((server) =>
      [...server?.orders.values() ?? []]
        .filter((known) => known.name.endsWith(`.${name}`))
        .map(({ order }) => order)
    );
    return theirs?.length === 1 && ours?.length === 1 && theirs[0] !== ours[0];
  }

  /** All that is known to be sorted in different orders. */
  get otherwise(): SortedOtherwise {
    const [primary, mirror] = [this.#primary, this.#mirror];
    const collations = new Set<string>();
    const note = (theirs: string, ours: string): boolean => {
      if (!this.#isOtherwise(theirs, ours)) return false;
      const their = primary?.orders.get(theirs)?.name;
      const our = mirror?.orders.get(ours)?.name;
      collations.add(`${their} on the primary, ${our} on the mirror`);
      return true;
    };
    note(DEFAULT, DEFAULT);
    const keys = new Set([primary, mirror].flatMap((server) => [
      ...server?.columns.keys() ?? [],
    ]));
    const columns = [...keys].filter((key) =>
      note(
        primary?.columns.get(key) ?? DEFAULT,
        mirror?.columns.get(key) ?? DEFAULT,
      )
    );
    return {
      collations: [...collations],
      columns: columns.map((key) => key.replaceAll("\0", ".")),
    };
  }

  #isOtherwise(theirs: string, ours: string): boolean {
    const their = this.#primary?.orders.get(theirs)?.order;
    const our = this.#mirror?.orders.get(ours)?.order;
    return their !== undefined && our !== undefined && their !== our;
  }
}

function keyOf(schema: string, relation: string, column: string): string {
  return `${relationKey(schema, relation)}\0${column}`;
}

/** @returns undefined if nothing was told. */
function read(rows: Rows): Collations | undefined {
  let texts: string | undefined;
  const orders = new Map<string, { order: string; name: string }>();
  const columns = new Map<string, string>();
  for (const [kind, a = "", b = "", c = "", d = ""] of rows) {
    if (kind === "texts") texts = a;
    if (kind === "collation" && b !== "") orders.set(a, { order: b, name: c });
    if (kind === "column") columns.set(keyOf(a, b, c), d);
  }
  return texts === undefined ? undefined : { texts, orders, columns };
}
