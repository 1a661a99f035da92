import type { Catalog, CatalogColumn } from "../catalog/mod.ts";
import { analyze } from "../sql/analyze.ts";
import type { Shape } from "../sql/shape.ts";
import {
  type Columns,
  type Mask,
  MASKS,
  type Output,
  type RelationColumn,
  type Trait,
  type Write,
} from "../sql/trait.ts";

/** Views within views that are looked into. */
const MAX_DEPTH = 100;
/** A mask; undefined: nothing may differ. */
export type Free = Mask | undefined;

/** What a generated column has of those that it is computed from. */
const COMPUTED: Readonly<Record<Mask, Mask>> = {
  float: "float",
  permuted: "choice",
  ties: "choice",
  numbered: "choice",
  time: "moment",
  sequence: "chance",
  boundary: "boundary",
  choice: "choice",
  moment: "moment",
  chance: "chance",
};

/** Columns of a sequence that tell how far it has come. */
const SEQUENCE_COLUMNS: ReadonlySet<string> = new Set([
  "last_value",
  "log_cnt",
  "*",
]);

/**
 * What the catalog knows of the columns that a trait names: through views down
 * to their tables, and of defaults and triggers where a statement writes. Each
 * column of a relation is looked at once.
 *
 * A view within itself adds nothing, and views deeper than MAX_DEPTH count as
 * tables: there a difference is a mismatch that is seen, while a mask too many
 * would hide it in silence.
 */
export class ColumnFacts {
  readonly #catalog: Catalog;
  /** The queries of views, by OID. */
  readonly #views = new Map<string, Shape | undefined>();
  /** By relation and column. */
  readonly #known = new Map<string, Free>();
  /** Columns that are being looked at, by OID and name. */
  readonly #open = new Set<string>();

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** In what a value may differ. */
  mask({ parts, calls, columns }: Trait): Free {
    const masks: Free[] = [];
    for (const { mask, unlessUnique: key } of parts) {
      if (key === undefined || !this.isUnique(key)) masks.push(mask);
    }
    for (const name of calls) masks.push(this.#catalog.functionNature(name));
    for (const column of columns) masks.push(this.#ofColumn(column));
    return freest(masks);
  }

  /** Whether equal values in these columns are in one row at most: of each relation that may be meant. */
  isUnique({ relation, columns }: Columns): boolean {
    const oids = this.#catalog.oids(relation);
    return oids.length > 0 && oids.every((oid) => this.#isUnique(oid, columns));
  }

  /** Sees the views among relations, and those within them. */
  eachView(relations: readonly string[], see: (view: Shape) => void): void {
    const keys = new Set(relations);
    const seen = new Set<string>();
    // A set gives what is added to it while it is walked.
    for (const key of keys) {
      for (const oid of this.#catalog.oids(key)) {
        const view = this.#view(oid);
        if (view === undefined || seen.has(oid)) continue;
        seen.add(oid);
        see(view);
        for (const inner of view.sources) keys.add(inner);
      }
    }
  }

  /** A view has the keys of the table whose rows it shows, each once. */
  #isUnique(oid: string, columns: readonly string[], depth = 0): boolean {
    if (this.#catalog.isUnique(oid, columns)) return true;
    const view = this.#view(oid);
    // A function may give several rows for one.
    const isPlain = view?.only !== undefined && view.calls.length === 0;
    if (!isPlain || depth > MAX_DEPTH) return false;
    const { relation, pinned } = view.only;
    const shown = view.outputs?.flatMap((output) =>
      isPlainColumn(output) && columns.includes(output.name ?? "")
        ? output.trait.columns.map(({ column }) => column)
        : []
    );
    const oids = this.#catalog.oids(relation);
    return oids.length > 0 &&
      oids.every((table) =>
        this.#isUnique(table, [...pinned, ...shown ?? []], depth + 1)
      );
  }

  #ofColumn(of: RelationColumn): Free {
    const { relation, column, write } = of;
    if (write !== undefined) return this.#written(relation, column, write);
    const key = JSON.stringify([relation, column]);
    if (!this.#known.has(key)) {
      const masks = this.#catalog.oids(relation).map((oid) =>
        this.#stored(oid, column)
      );
      this.#known.set(key, freest(masks));
    }
    return this.#known.get(key);
  }

  /** What stands in a column, or in all that a view gives. */
  #stored(oid: string, column: string): Free {
    if (this.#catalog.isSequence(oid)) {
      return SEQUENCE_COLUMNS.has(column) ? "sequence" : undefined;
    }
    return this.#within(oid, column, (output) => this.mask(output.trait));
  }

  /** What a look into a view's column finds. */
  #within(oid: string, column: string, look: (output: Output) => Free): Free {
    const key = JSON.stringify([oid, column]);
    if (this.#open.has(key) || this.#open.size >= MAX_DEPTH) return undefined;
    this.#open.add(key);
    const masks: Free[] = [];
    for (const output of this.#view(oid)?.outputs ?? []) {
      if (!isStar(output) && (output.name === column || column === "*")) {
        masks.push(look(output));
      }
    }
    this.#open.delete(key);
    return freest(masks);
  }

  #written(relation: string, column: string, write: Write): Free {
    const oids = this.#catalog.oids(relation);
    if (oids.length > 0) {
      return freest(oids.map((oid) => this.#writtenTo(oid, column, write)));
    }
    const given = givenTo(undefined, column, write);
    // What is not known may have any default.
    const isOpen = given === undefined ? write.inserts : given.isDefault;
    return freest([given && this.mask(given), isOpen ? "chance" : undefined]);
  }

  #writtenTo(oid: string, column: string, write: Write): Free {
    const columns = this.#catalog.columnsOf(oid);
    const known = columns?.find(({ name }) => name === column)?.default;
    const given = givenTo(columns, column, write);
    const isDefault = given === undefined ? write.inserts : given.isDefault;
    const changes = this.#catalog.changedByTrigger(oid);
    const masks: Free[] = [
      given && this.mask(given),
      changes === "all" ? "chance" : changes?.get(column),
      this.#stored(oid, column),
    ];
    if (isDefault) {
      masks.push(columns === undefined ? "chance" : maskOf(known?.nature));
    }
    for (const from of known?.from ?? []) {
      const of = this.#writtenTo(oid, from, write);
      masks.push(of && COMPUTED[of]);
    }
    // A view writes the table behind it, which has defaults and triggers.
    const behind: Write = {
      inserts: write.inserts && given === undefined,
      named: {},
      positional: [],
    };
    masks.push(
      this.#within(
        oid,
        column,
        ({ trait }) =>
          freest(
            trait.columns.map((base) =>
              this.#written(base.relation, base.column, behind)
            ),
          ),
      ),
    );
    return freest(masks);
  }

  /** The query of a view, by its OID; undefined: it is none. */
  #view(oid: string): Shape | undefined {
    if (!this.#views.has(oid)) {
      const text = this.#catalog.viewText(oid);
      const statements = text === undefined ? undefined : analyze(text);
      this.#views.set(oid, statements?.shapes[0]);
    }
    return this.#views.get(oid);
  }
}

function givenTo(
  columns: readonly CatalogColumn[] | undefined,
  column: string,
  { named, positional }: Write,
): Trait | undefined {
  const place = columns?.findIndex(({ name }) => name === column) ?? -1;
  return named[column] ?? positional[place];
}

function maskOf(
  nature: NonNullable<CatalogColumn["default"]>["nature"] | undefined,
): Free {
  return nature === "fixed" ? undefined : nature;
}

function isPlainColumn(
  output: Output,
): output is Extract<Output, { name: unknown }> {
  return "name" in output && output.isColumn === true &&
    output.trait.parts.length === 0 && output.trait.calls.length === 0 &&
    output.trait.columns.length === 1;
}

export function isStar(output: Output): output is Extract<
  Output,
  { star: unknown }
> {
  return "star" in output;
}

export function freest(masks: readonly Free[]): Free {
  let free: Free;
  for (const mask of masks) {
    if (mask === undefined) continue;
    if (free === undefined || MASKS.indexOf(mask) > MASKS.indexOf(free)) {
      free = mask;
    }
  }
  return free;
}
