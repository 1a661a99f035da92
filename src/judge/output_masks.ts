import type { Catalog } from "../catalog/mod.ts";
import { natureOfCall, NUMBERING } from "../sql/mod.ts";
import type { CountPart, CountRule, Shape } from "../sql/shape.ts";
import {
  type Output,
  type RelationColumn,
  type Star,
  STRICT,
  type Trait,
} from "../sql/trait.ts";
import { type CellRule, formOfType, maskOfType } from "./cell_rules.ts";
import {
  ColumnFacts,
  type Facts,
  isStar,
  NOTHING as NO_FACTS,
  shownColumn,
  together,
} from "./column_facts.ts";
import { type DrawnColumn, DrawnColumns } from "./drawn_columns.ts";
import type { Column } from "./columns.ts";
import { INT8, OID } from "./type_oids.ts";

const known = new WeakMap<Catalog, OutputMasks>();

/** Those of a catalog and its mirror: what is known of its statements lives as long as it does. */
export function masksOf(catalog: Catalog, drawn: DrawnColumns): OutputMasks {
  let masks = known.get(catalog);
  if (masks === undefined) {
    known.set(catalog, masks = new OutputMasks(catalog, drawn));
  }
  return masks;
}

const RULES: readonly (CountRule | undefined)[] = [
  undefined,
  "boundary",
  "choice",
  "any",
  "draw",
];

/** What a statement draws, and what of that is of rows that it inserts, or that ON CONFLICT updates. */
interface Drawing {
  readonly all: readonly DrawnColumn[];
  readonly inserts: readonly DrawnColumn[];
  readonly updates: readonly DrawnColumn[];
}

const NOTHING_DRAWN: Drawing = { all: [], inserts: [], updates: [] };

/** What holds of one column of an answer. */
interface Known extends Facts {
  readonly isCaseFree: boolean;
  /** It is what count() gives. */
  readonly isCount: boolean;
  /** Names of the columns that rows are numbered by; undefined: they are not known. */
  readonly within: readonly string[] | undefined;
}

const NOTHING: Known = {
  ...NO_FACTS,
  isCaseFree: false,
  isCount: false,
  within: undefined,
};

/**
 * In what the columns of an answer may differ: what the statement's text says,
 * and what the catalog knows of views, functions, defaults and triggers. One
 * for each state of the catalog.
 */
export class OutputMasks {
  readonly #catalog: Catalog;
  readonly #rules = new WeakMap<
    Shape,
    {
      readonly columns: readonly Column[];
      readonly version: number;
      readonly rules: readonly CellRule[];
    }
  >();
  readonly #draws = new WeakMap<
    Shape,
    Drawing & { readonly version: number }
  >();
  readonly #facts: ColumnFacts;

  constructor(catalog: Catalog, drawn: DrawnColumns = new DrawnColumns()) {
    this.#catalog = catalog;
    this.#facts = new ColumnFacts(catalog, drawn);
  }

  /** By column of the answer. */
  rules(shape: Shape, columns: readonly Column[]): readonly CellRule[] {
    const before = this.#rules.get(shape);
    const { version } = this.#facts;
    if (before?.columns === columns && before.version === version) {
      return before.rules;
    }
    const names = columns.map(({ name }) => name);
    const all = this.#aligned(shape.outputs ?? [], names);
    const { mask: by } = this.#facts.of({ ...STRICT, ...shape.decidedBy });
    // A choice that decides which rows there are reaches all columns.
    const known = by === "choice"
      ? names.map((_, i) => ({ ...all[i] ?? NOTHING, mask: by }))
      : all;
    const rules = columns.map((column, i): CellRule => {
      const { mask, isKept, isCaseFree, isCount, within, ...facts } =
        known[i] ?? NOTHING;
      // Catalogs name their rows by numbers that each server gives out.
      const isNumber = shape.note === "catalog" && column.typeOid === OID;
      return {
        column,
        mask: isNumber ? "chance" : maskOfType(mask, column),
        form: formOfType(column, isCaseFree),
        isFolded: isKept,
        isCount: isCount && (column.typeOid === INT8 || column.typeOid === 0),
        within: within && placesOf(within, names, known),
        ...(facts.hasSums ? { hasSums: true } : {}),
        ...(facts.drawn.length === 0 ? {} : {
          drawn: facts.drawn,
          isDrawnOnly: facts.isDrawnOnly,
        }),
      };
    });
    this.#rules.set(shape, { columns, version, rules });
    return rules;
  }

  /** The columns that a statement draws, where the mirror runs it. */
  draws(shape: Shape): Drawing {
    if (shape.writes.length + shape.calls.length === 0) return NOTHING_DRAWN;
    const { version } = this.#facts;
    const before = this.#draws.get(shape);
    if (before?.version === version) return before;
    const drawing = {
      version,
      all: this.#facts.draws(shape),
      inserts: this.#facts.inserts(shape),
      updates: this.#facts.updates(shape),
    };
    this.#draws.set(shape, drawing);
    return drawing;
  }

  /** How the number of rows may differ: by the statement, its views, and functions that decide. */
  counts(shape: Shape): CountRule | undefined {
    let rule: CountRule | undefined;
    const loosen = (other: CountRule | undefined) => {
      if (RULES.indexOf(other) > RULES.indexOf(rule)) rule = other;
    };
    const take = (parts: readonly CountPart[]) => {
      for (const part of parts) {
        if (this.#facts.mayTie(part)) loosen(part.rule);
      }
    };
    take(shape.counts);
    const call = (names: readonly string[]) => {
      for (const name of names) {
        const nature = this.#catalog.functionNature(name);
        if (nature !== undefined) {
          loosen(nature === "time" ? "boundary" : "any");
        }
      }
    };
    call(shape.deciding);
    this.#facts.eachBehind(shape, (query, isFiltered) => {
      take(query.counts);
      if (isFiltered) take(query.choices);
      call(query.deciding);
    });
    return rule;
  }

  /**
   * The places of columns that show rows of the statement's only relation, the
   * first of which is a unique key of it; undefined: no column is one.
   */
  placesOfRow(
    { only, outputs = [] }: Shape,
    columns: readonly Column[],
  ): readonly number[] | undefined {
    if (only === undefined) return undefined;
    const { relation } = only;
    const items = outputs.flatMap((output) => this.#expanded(output));
    if (items.length !== columns.length) return undefined;
    const names = items.map((item) => {
      const shown = shownColumn(item);
      const isOfRow = shown?.relation === relation &&
        this.#facts.isOfRow(relation, shown.column);
      return isOfRow ? shown.column : undefined;
    });
    const key = names.find((name) =>
      name !== undefined &&
      this.#facts.isUnique({ relation, columns: [name] })
    );
    if (key === undefined) return undefined;
    const places = [...names.keys()].filter((i) => names[i] !== undefined);
    const first = names.indexOf(key);
    return [first, ...places.filter((i) => i !== first)];
  }

  /** Whether rows that a query within numbers may have been left out. */
  skipsNumbers(shape: Shape): boolean {
    let skips = shape.skipsNumbers;
    const filtered = [...shape.filtered, ...shape.picked];
    this.#facts.eachBehind({ ...shape, filtered }, (query, isFiltered) => {
      skips ||= query.skipsNumbers ||
        isFiltered && query.calls.some((name) => NUMBERING.has(name));
    });
    return skips;
  }

  /** The columns by which alone the moment decides which rows there are; undefined: they do not tell. */
  momentBounds(shape: Shape): Shape["momentBounds"] {
    const isAlone = shape.momentBounds !== undefined &&
      this.counts(shape) === "boundary" &&
      this.counts({ ...shape, counts: [] }) === undefined &&
      !shape.sources.some((source) => this.#catalog.hasPolicy(source));
    return isAlone ? shape.momentBounds : undefined;
  }

  /** Whether a statement holds a unique key of its only relation to a value. */
  isPinned({ only }: Shape): boolean {
    if (only === undefined) return false;
    const { relation, pinned } = only;
    return this.#facts.isUnique({ relation, columns: pinned, pinned });
  }

  /** Whether a unique key leaves no choice among its rows, nor in their order. */
  isUnique({ only }: Shape): boolean {
    if (only === undefined) return false;
    const { relation, pinned, sorted } = only;
    // Of equal values in a pinned column the other keys decide.
    const columns = [...pinned, ...sorted];
    return this.#facts.isUnique({ relation, columns, pinned });
  }

  /** Whether a statement asks for certain rows, by a value of a column in a unique index; true where that is not known. */
  isCertain({ kind, equated, sources, writes }: Shape): boolean {
    if (equated === undefined) return true;
    if (equated.length === 0) return false;
    const catalog = this.#catalog;
    const written = writes.flatMap((name) => catalog.keysOfName(name));
    return [...sources, ...written].some((relation) => {
      const oids = catalog.oids(relation);
      return oids.length === 0 || catalog.isView(relation) ||
        oids.some((oid) =>
          catalog.excludesRows(oid) ||
          catalog.uniquesOf(oid).some((columns) => {
            const isEquated = (name: string) => equated.includes(name);
            // A write by one of several is of many rows, as of a tenant's.
            return kind === "read"
              ? columns.some(isEquated)
              : columns.length > 0 && columns.every(isEquated);
          })
        );
    });
  }

  /** Whether the mirror sorts by one of its keys otherwise, or without any what gives it its rows does. */
  isSortedOtherwise({ orderBy, sortedBy, inOrder }: Shape): boolean {
    return orderBy === undefined
      ? this.#facts.comesOtherwise(inOrder)
      : this.#facts.areSortedOtherwise(sortedBy);
  }

  #aligned(
    outputs: readonly Output[],
    names: readonly string[],
  ): readonly Known[] {
    const items = outputs.flatMap((output) => this.#expanded(output));
    const first = items.findIndex(isStar);
    if (first < 0 && items.length === names.length) {
      return items.map(({ trait }) => this.#known(trait));
    }
    if (first < 0) return this.#byName(items, names);
    const last = items.findLastIndex(isStar);
    const behind = items.length - 1 - last;
    const middle = this.#byName(
      items.slice(first, last + 1),
      names.slice(first, names.length - behind),
    );
    return [
      ...items.slice(0, first).map(({ trait }) => this.#known(trait)),
      ...middle,
      ...items.slice(last + 1).map(({ trait }) => this.#known(trait)),
    ];
  }

  /** A star in the place of which its columns are known. */
  #expanded(output: Output): readonly Output[] {
    if (!isStar(output) || output.star === undefined) return [output];
    const { star, trait, write } = output;
    const columns = this.#catalog.columns(star);
    if (columns === undefined) return [output];
    return columns.map(({ name }) => ({
      name,
      isColumn: true,
      trait: {
        ...trait,
        columns: [...trait.columns, item(star, name, write)],
      },
    }));
  }

  /** Where columns were merged or are not known their names decide. */
  #byName(
    items: readonly Output[],
    names: readonly string[],
  ): readonly Known[] {
    return names.map((name) => {
      const found = items.flatMap((output): Known[] => {
        if (!isStar(output)) {
          return output.name === name ? [this.#known(output.trait)] : [];
        }
        const { star, trait, write } = output;
        if (star === undefined) return [this.#known(trait)];
        const columns = [...trait.columns, item(star, name, write)];
        return [this.#known({ ...trait, columns })];
      });
      return {
        ...together(found),
        isCaseFree: found.some(({ isCaseFree }) => isCaseFree),
        isCount: found.length > 0 && found.every(({ isCount }) => isCount),
        within: found.length === 1 ? found[0]?.within : undefined,
      };
    });
  }

  #known(trait: Trait): Known {
    const { calls } = trait;
    const numbered = trait.parts.filter(({ mask }) => mask === "numbered");
    return {
      ...this.#facts.of(trait),
      isCaseFree: trait.columns.some((column) => this.#isCaseFree(column)),
      isCount: calls.includes("count") &&
        calls.every((name) =>
          name === "count" || natureOfCall(name, 0) === "time"
        ),
      within: numbered.length === 1 ? numbered[0]?.within : undefined,
    };
  }

  #isCaseFree({ relation, column }: RelationColumn): boolean {
    return this.#catalog.oids(relation).some((oid) =>
      this.#catalog.columnsOf(oid)?.some(({ name, isCaseFree }) =>
        name === column && isCaseFree
      )
    );
  }
}

/** Where columns stand; undefined: one is not there, or there twice, or may differ itself. */
function placesOf(
  wanted: readonly string[],
  names: readonly string[],
  known: readonly Known[],
): readonly number[] | undefined {
  const places = wanted.map((name) => names.indexOf(name));
  const areSure = places.every((place) =>
    place >= 0 && known[place]?.mask === undefined &&
    names.indexOf(names[place] as string, place + 1) < 0
  );
  return areSure ? places : undefined;
}

function item(
  relation: string,
  column: string,
  write: Star["write"],
): RelationColumn {
  return write === undefined
    ? { relation, column }
    : { relation, column, write };
}
