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
type Free = Mask | undefined;

/** What holds of a value. */
export interface Facts {
  readonly mask: Free;
  /** Of equal values one was kept: which of them is chance. */
  readonly isKept: boolean;
}

const NOTHING: Facts = { mask: undefined, isKept: false };

/** What a generated column has of those that it is computed from. */
const COMPUTED: Readonly<Record<Mask, Mask>> = {
  float: "float",
  permuted: "choice",
  ties: "choice",
  numbered: "choice",
  time: "moment",
  age: "moment",
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
  readonly #known = new Map<string, Facts>();
  /** Columns that are being looked at, by OID and name. */
  readonly #open = new Set<string>();

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** Of a value with a trait. */
  of({ parts, calls, columns, isKept }: Trait): Facts {
    const masks: Free[] = [];
    for (const { mask, unlessUnique: key } of parts) {
      if (key === undefined || !this.isUnique(key)) masks.push(mask);
    }
    for (const name of calls) masks.push(this.#catalog.functionNature(name));
    return together([
      { mask: freest(masks), isKept: isKept === true },
      ...columns.map((column) => this.#ofColumn(column)),
    ]);
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

  #ofColumn({ relation, column, write }: RelationColumn): Facts {
    if (write !== undefined) return this.#written(relation, column, write);
    const key = JSON.stringify([relation, column]);
    let facts = this.#known.get(key);
    if (facts === undefined) {
      facts = together(
        this.#catalog.oids(relation).map((oid) => this.#stored(oid, column)),
      );
      this.#known.set(key, facts);
    }
    return facts;
  }

  /** What stands in a column, or in all that a view gives. */
  #stored(oid: string, column: string): Facts {
    if (this.#catalog.isSequence(oid)) {
      return SEQUENCE_COLUMNS.has(column) ? only("sequence") : NOTHING;
    }
    return this.#within(oid, column, (output) => this.of(output.trait));
  }

  /** What a look into a view's column finds. */
  #within(oid: string, column: string, look: (output: Output) => Facts): Facts {
    const key = JSON.stringify([oid, column]);
    if (this.#open.has(key) || this.#open.size >= MAX_DEPTH) return NOTHING;
    this.#open.add(key);
    const found: Facts[] = [];
    for (const output of this.#view(oid)?.outputs ?? []) {
      if (!isStar(output) && (output.name === column || column === "*")) {
        found.push(look(output));
      }
    }
    this.#open.delete(key);
    return together(found);
  }

  #written(relation: string, column: string, write: Write): Facts {
    const oids = this.#catalog.oids(relation);
    if (oids.length > 0) {
      return together(oids.map((oid) => this.#writtenTo(oid, column, write)));
    }
    const given = givenTo(undefined, column, write);
    // What is not known may have any default.
    const isOpen = given === undefined ? write.inserts : given.isDefault;
    return together([
      given === undefined ? NOTHING : this.of(given),
      isOpen ? only("chance") : NOTHING,
    ]);
  }

  #writtenTo(oid: string, column: string, write: Write): Facts {
    const columns = this.#catalog.columnsOf(oid);
    const known = columns?.find(({ name }) => name === column)?.default;
    const given = givenTo(columns, column, write);
    const isDefault = given === undefined ? write.inserts : given.isDefault;
    const changes = this.#catalog.changedByTrigger(oid);
    const found: Facts[] = [
      given === undefined ? NOTHING : this.of(given),
      only(changes === "all" ? "chance" : changes?.get(column)),
      this.#stored(oid, column),
    ];
    if (isDefault) {
      found.push(
        only(columns === undefined ? "chance" : maskOf(known?.nature)),
      );
    }
    for (const from of known?.from ?? []) {
      const { mask } = this.#writtenTo(oid, from, write);
      found.push(only(mask && COMPUTED[mask]));
    }
    // A view writes the table behind it, which has defaults and triggers.
    const behind: Write = {
      inserts: write.inserts && given === undefined,
      named: new Map(),
      positional: [],
    };
    found.push(
      this.#within(
        oid,
        column,
        ({ trait }) =>
          together(
            trait.columns.map((base) =>
              this.#written(base.relation, base.column, behind)
            ),
          ),
      ),
    );
    return together(found);
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
  return named.get(column) ?? positional[place];
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

function only(mask: Free): Facts {
  return mask === undefined ? NOTHING : { mask, isKept: false };
}

/** What holds of a value that may be any of several, or comes of all of them. */
export function together(all: readonly Facts[]): Facts {
  return {
    mask: freest(all.map(({ mask }) => mask)),
    isKept: all.some(({ isKept }) => isKept),
  };
}

function freest(masks: readonly Free[]): Free {
  let free: Free;
  for (const mask of masks) {
    if (mask === undefined) continue;
    if (free === undefined || MASKS.indexOf(mask) > MASKS.indexOf(free)) {
      free = mask;
    }
  }
  return free;
}
