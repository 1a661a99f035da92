import type { Catalog, CatalogColumn } from "../catalog/mod.ts";
import { analyzeFunction, analyzeView } from "../sql/analyze.ts";
import { isScalar, natureOfCall } from "../sql/mod.ts";
import type { Shape } from "../sql/shape.ts";
import {
  type Collated,
  type Columns,
  type Draw,
  type InOrder,
  type Mask,
  MASKS,
  type Output,
  type RelationColumn,
  STRICT,
  type Ties,
  type Trait,
  type Write,
} from "../sql/trait.ts";
import {
  type DrawnColumn,
  DrawnColumns,
  isDrawn,
  isMoment,
} from "./drawn_columns.ts";
import { ShapesBehind } from "./shapes_behind.ts";
import { sortsOtherwise } from "./sorted_texts.ts";

/** Views within views that are looked into. */
const MAX_DEPTH = 100;
/** A mask; undefined: nothing may differ. */
type Free = Mask | undefined;

/** What holds of a value. */
export interface Facts {
  readonly mask: Free;
  /** Sums of floats are in it, whatever else may differ. */
  readonly hasSums: boolean;
  /** Of equal values one was kept: which of them is chance. */
  readonly isKept: boolean;
  /** The drawn columns that its mask is of … */
  readonly drawn: readonly DrawnColumn[];
  /** … and whether it is of nothing else. */
  readonly isDrawnOnly: boolean;
}

export const NOTHING: Facts = {
  mask: undefined,
  hasSums: false,
  isKept: false,
  drawn: [],
  isDrawnOnly: true,
};

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

/** What a function's text tells of its values; whether moments and chance are in it, the catalog says. */
const OF_ORDER: ReadonlySet<Mask> = new Set([
  "float",
  "permuted",
  "ties",
  "numbered",
  "choice",
]);

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
  /** The queries of functions, by name. */
  readonly #functions = new Map<string, readonly Shape[]>();
  /** Statements of triggers and functions, by their texts. */
  readonly #writes: ShapesBehind;
  /** By relation and column. */
  readonly #known = new Map<string, Facts>();
  /** Columns that are being looked at, by OID and name. */
  readonly #open = new Set<string>();
  readonly #drawn: DrawnColumns;
  #version = 0;

  constructor(catalog: Catalog, drawn: DrawnColumns = new DrawnColumns()) {
    this.#catalog = catalog;
    this.#writes = new ShapesBehind(catalog);
    this.#drawn = drawn;
  }

  /** Another one once something else is known. */
  get version(): number {
    return this.#drawn.version + this.#catalog.collations.version;
  }

  /** Of a value with a trait. */
  of({ parts, calls, columns, isKept }: Trait): Facts {
    const masks: Free[] = [];
    for (const part of parts) {
      // Where a window's keys are selected rows tell what they leave open.
      const isTold = part.mask === "numbered" && part.within !== undefined;
      const isOtherwise = this.comesOtherwise(part.inOrder);
      if (!isOtherwise && this.mayTie(part, isTold)) masks.push(part.mask);
    }
    for (const name of calls) masks.push(this.#catalog.functionNature(name));
    return together([
      {
        ...only(freest(masks)),
        hasSums: masks.includes("float"),
        isKept: isKept === true,
      },
      ...calls.map((name) => this.#ofFunction(name)),
      ...columns.map((column) => this.ofColumn(column)),
    ]);
  }

  /**
   * Whether ties excuse what an order decides: it leaves some, as far as is
   * known, and the mirror sorts its texts as the primary does.
   *
   * @param isTold rows show what they are sorted by.
   */
  mayTie({ unlessUnique, sortedBy = [] }: Ties, isTold = false): boolean {
    return (unlessUnique === undefined || !this.isUnique(unlessUnique)) &&
      (isTold || !this.areSortedOtherwise(sortedBy));
  }

  /** Whether the mirror sorts one of these texts otherwise than the primary. */
  areSortedOtherwise(texts: readonly Collated[]): boolean {
    return texts.some((text) => sortsOtherwise(this.#catalog, text));
  }

  /** Whether equal values in these columns are in one row at most: of each relation that may be meant. */
  isUnique({ relation, columns, pinned = [] }: Columns): boolean {
    const oids = this.#catalog.oids(relation);
    return oids.length > 0 &&
      oids.every((oid) => this.#isUnique(oid, columns, pinned));
  }

  /**
   * Whether rows that nothing sorts come in another order on the mirror, since
   * what gives them sorts a text: a view, a function, an inner query.
   */
  comesOtherwise(order: InOrder | undefined): boolean {
    const orders = new Set(order === undefined ? [] : [order]);
    // A set gives what is added to it while it is walked.
    for (const { sortedBy = [], relation, call } of orders) {
      if (this.areSortedOtherwise(sortedBy)) return true;
      for (const query of this.#behind(relation, call)) {
        if (query.orderBy !== undefined) {
          if (this.areSortedOtherwise(query.sortedBy)) return true;
        } else if (query.inOrder !== undefined) orders.add(query.inOrder);
      }
    }
    return false;
  }

  /** The queries of a view, by its key, or of a function. */
  #behind(relation: string | undefined, call?: string): readonly Shape[] {
    const oids = relation === undefined ? [] : this.#catalog.oids(relation);
    return [
      ...oids.flatMap((oid) => this.#view(oid) ?? []),
      ...call === undefined ? [] : this.#function(call),
    ];
  }

  /**
   * Sees the queries of the views that a statement reads, of the functions that
   * decide its rows, and of those within them.
   *
   * @param see is told, too, whether the query's rows are filtered.
   */
  eachBehind(
    shape: Pick<Shape, "sources" | "deciding" | "filtered">,
    see: (query: Shape, isFiltered: boolean) => void,
  ): void {
    const seen = new Set<string>();
    const all: [typeof shape, boolean][] = [[shape, false]];
    // An array gives what is added to it while it is walked.
    for (const [{ sources, deciding, filtered }, isWhole] of all) {
      const look = (name: string, queries: readonly Shape[]) => {
        const isFiltered = isWhole || filtered.includes(name);
        const key = JSON.stringify([name, isFiltered]);
        if (seen.has(key)) return;
        seen.add(key);
        for (const query of queries) {
          see(query, isFiltered);
          all.push([query, isFiltered]);
        }
      };
      for (const key of sources) look(key, this.#behind(key));
      for (const name of deciding) look(name, this.#function(name));
    }
  }

  /** A view has the keys of the table whose rows it shows, each once. */
  #isUnique(
    oid: string,
    columns: readonly string[],
    held: readonly string[],
    depth = 0,
  ): boolean {
    if (this.#catalog.isUnique(oid, columns, held)) return true;
    const view = this.#view(oid);
    // A function may give several rows for one.
    const isPlain = view?.only !== undefined &&
      view.outputs?.every(({ trait }) => trait.calls.every(isScalar));
    if (!isPlain || depth > MAX_DEPTH) return false;
    const { relation, pinned } = view.only;
    const within = (names: readonly string[]) => [
      ...pinned,
      ...(view.outputs ?? []).flatMap((output) =>
        isPlainColumn(output) && names.includes(output.name ?? "")
          ? output.trait.columns.map(({ column }) => column)
          : []
      ),
    ];
    const oids = this.#catalog.oids(relation);
    return oids.length > 0 &&
      oids.every((table) =>
        this.#isUnique(table, within(columns), within(held), depth + 1)
      );
  }

  /**
   * Whether a column shows what stands in a table's row: the same row has the
   * same value in it on both servers, whichever rows a LIMIT has chosen.
   */
  isOfRow(relation: string, column: string, depth = 0): boolean {
    const oids = this.#catalog.oids(relation);
    return oids.length > 0 && depth < MAX_DEPTH && oids.every((oid) => {
      const view = this.#view(oid);
      if (view === undefined) {
        return !this.#catalog.isView(relation) &&
          this.#stored(oid, column).mask === undefined;
      }
      const base = view.only?.relation;
      const [shown, more] = view.outputs?.filter((output) =>
        !isStar(output) && output.name === column
      ) ?? [];
      const source = shown && shownColumn(shown);
      return base !== undefined && more === undefined &&
        source?.relation === base &&
        this.isOfRow(base, source.column, depth + 1);
    });
  }

  /** Of a column, or of what an expression makes of it. */
  ofColumn(item: RelationColumn): Facts {
    const facts = this.#ofRelation(item);
    const { as } = item;
    const mask = facts.mask && as?.[facts.mask];
    if (as === undefined || facts === NOTHING) return facts;
    // What counts values holds none.
    const isCounted = as.sequence === null;
    // A view's moment is now, and not stored.
    const isNow = mask === null && !isCounted && !facts.isDrawnOnly;
    if (isNow) return { ...facts, mask: "boundary" };
    if (mask === null || isCounted && facts.mask === undefined) {
      return { ...NOTHING, isKept: facts.isKept };
    }
    return mask === undefined ? facts : { ...facts, mask };
  }

  #ofRelation({ relation, column, write }: RelationColumn): Facts {
    if (write !== undefined) return this.#written(relation, column, write);
    if (this.#version !== this.version) {
      this.#version = this.version;
      this.#known.clear();
    }
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
    return together([
      this.#drawnIn(oid, column),
      this.#within(oid, column, (output) => this.of(output.trait)),
    ]);
  }

  /** What the mirror has drawn for a column, or for any of a row. */
  #drawnIn(oid: string, column: string): Facts {
    if (column !== "*") {
      const drawn = this.#drawn.get(oid, column);
      return drawn === undefined ? NOTHING : ofDrawn(drawn);
    }
    // Nothing tells a number or a token in a row from what stands beside it.
    const moments = [...this.#drawn.of(oid)].filter(({ mask }) =>
      isMoment(mask)
    );
    return together(moments.map(ofDrawn));
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
    const given = this.#givenTo(undefined, column, write);
    // What is not known may have any default.
    const isOpen = given === undefined ? write.inserts : given.isDefault;
    return together([
      given === undefined ? NOTHING : this.of(given),
      isOpen ? only("chance") : NOTHING,
    ]);
  }

  #writtenTo(oid: string, column: string, write: Write): Facts {
    const columns = this.#catalog.columnsOf(oid);
    const given = this.#givenTo(columns, column, write);
    const isAny = this.#catalog.changedByTrigger(oid) === "all";
    const found: Facts[] = [
      this.#drawnBy(oid, column, write),
      only(isAny ? "chance" : undefined),
      this.#stored(oid, column),
    ];
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

  /** The value that a statement gives a column; undefined: none. */
  #givenTo(
    columns: readonly CatalogColumn[] | undefined,
    column: string,
    { named, positional, from, isWhole }: Write,
  ): Trait | undefined {
    const place = columns?.findIndex(({ name }) => name === column) ?? -1;
    const given = named.get(column) ?? positional[place];
    if (given !== undefined) return given;
    if (isWhole === true) return STRICT;
    const source = from && this.#catalog.columns(from)?.[place]?.name;
    return from === undefined || source === undefined
      ? undefined
      : { ...STRICT, columns: [{ relation: from, column: source }] };
  }

  /** What a statement itself gives a column, with defaults and triggers that are known. */
  #drawnBy(oid: string, column: string, write: Write): Facts {
    const columns = this.#catalog.columnsOf(oid);
    const known = columns?.find(({ name }) => name === column)?.default;
    const given = this.#givenTo(columns, column, write);
    const isDefault = given === undefined ? write.inserts : given.isDefault;
    const changes = this.#catalog.changedByTrigger(oid);
    const found: Facts[] = [given === undefined ? NOTHING : this.of(given)];
    if (changes !== "all") found.push(only(changes?.get(column)));
    if (isDefault) {
      found.push(
        only(columns === undefined ? "chance" : maskOf(known?.nature)),
      );
    }
    for (const from of known?.from ?? []) {
      const facts = this.#drawnBy(oid, from, write);
      const { mask } = facts;
      if (mask !== undefined) found.push({ ...facts, mask: COMPUTED[mask] });
    }
    return together(found);
  }

  /**
   * The columns that a statement draws, with its triggers and functions. The
   * lag is that of what it copies from other columns, without its own.
   */
  draws(shape: Shape): readonly DrawnColumn[] {
    return this.#drawsOf(shape, (write) => write);
  }

  /** Those of rows that it inserts. */
  inserts(shape: Shape): readonly DrawnColumn[] {
    return this.#drawsOf(
      shape,
      (write) => write.onConflict?.inserted ?? write,
    );
  }

  /** Those of rows that are there, which ON CONFLICT updates. */
  updates(shape: Shape): readonly DrawnColumn[] {
    return this.#drawsOf(shape, ({ onConflict }) => onConflict?.updated);
  }

  /** @param part what of a write is looked at. */
  #drawsOf(
    shape: Shape,
    part: (write: Write) => Write | undefined,
  ): readonly DrawnColumn[] {
    return [...this.#writes.of(shape)].flatMap(({ draws }) =>
      draws.flatMap(({ relation, write }) => {
        const looked = part(write);
        return looked ? this.#draws({ relation, write: looked }) : [];
      })
    );
  }

  #draws({ relation, write }: Draw, depth = 0): readonly DrawnColumn[] {
    const found: DrawnColumn[] = [];
    for (const oid of this.#catalog.oids(relation)) {
      const view = this.#view(oid);
      if (view !== undefined) {
        const behind = depth > MAX_DEPTH ? undefined : behindView(view, write);
        if (behind !== undefined) found.push(...this.#draws(behind, depth + 1));
        continue;
      }
      for (const { name: column } of this.#catalog.columnsOf(oid) ?? []) {
        const facts = this.#drawnBy(oid, column, write);
        if (!isDrawn(facts.mask) || this.#isOfSession(oid, column, write)) {
          continue;
        }
        const lagUs = Math.max(0, ...facts.drawn.map(({ lagUs }) => lagUs));
        const { mask } = facts;
        // A row may lie in a partition.
        for (const one of this.#catalog.familyOf(oid)) {
          found.push({ oid: one, relation, column, mask, lagUs });
        }
      }
    }
    return found;
  }

  /** Whether a value is the session's, which the mirror's session has, too: its user, a setting. */
  #isOfSession(oid: string, column: string, write: Write): boolean {
    const columns = this.#catalog.columnsOf(oid);
    const given = this.#givenTo(columns, column, write);
    const known = columns?.find(({ name }) => name === column)?.default;
    if (given === undefined) return known?.isOfSession === true;
    // DEFAULT, in some rows at least.
    const isDrawn = given.isDefault && maskOf(known?.nature) !== undefined;
    if (isDrawn && known?.isOfSession !== true) return false;
    const { parts, calls, columns: read } = given;
    return read.length === 0 && parts.every(({ mask }) => mask === "chance") &&
      calls.every((name) =>
        name === "current_setting" ||
        natureOfCall(name, 0) === undefined &&
          this.#catalog.functionNature(name) === undefined
      );
  }

  /** The query of a view, by its OID; undefined: it is none. */
  #view(oid: string): Shape | undefined {
    if (!this.#views.has(oid)) {
      const text = this.#catalog.viewText(oid);
      this.#views.set(oid, text === undefined ? undefined : analyzeView(text));
    }
    return this.#views.get(oid);
  }

  /** The queries of the functions of a name, as far as their texts are read. */
  #function(name: string): readonly Shape[] {
    let queries = this.#functions.get(name);
    if (queries === undefined) {
      queries = this.#catalog.functionTexts(name).flatMap(analyzeFunction);
      this.#functions.set(name, queries);
    }
    return queries;
  }

  /** Of any value that a function's queries give. */
  #ofFunction(name: string): Facts {
    const queries = this.#function(name);
    const key = JSON.stringify([name]);
    if (
      queries.length === 0 || this.#open.has(key) ||
      this.#open.size >= MAX_DEPTH
    ) return NOTHING;
    this.#open.add(key);
    const outputs = queries.flatMap((query) => query.outputs ?? []);
    const found = outputs.map((output) => {
      const { mask, isKept } = this.of(wholeTrait(output));
      const isOfOrder = mask !== undefined && OF_ORDER.has(mask);
      return { ...only(isOfOrder ? mask : undefined), isKept };
    });
    this.#open.delete(key);
    return together(found);
  }
}

/** Of an output, or of all columns that `*` stands for. */
function wholeTrait(output: Output): Trait {
  const { trait } = output;
  if (!isStar(output) || output.star === undefined) return trait;
  const all = { relation: output.star, column: "*" };
  return { ...trait, columns: [...trait.columns, all] };
}

/** What a write to a view does to the only table behind it. */
function behindView(
  { only, outputs = [] }: Shape,
  { inserts, named, positional }: Write,
): Draw | undefined {
  if (only === undefined) return undefined;
  const given = new Map<string, Trait>();
  outputs.forEach((output, place) => {
    if (!isPlainColumn(output)) return;
    const trait = named.get(output.name ?? "") ?? positional[place];
    const [base] = output.trait.columns;
    if (trait !== undefined && base !== undefined) {
      given.set(base.column, trait);
    }
  });
  const write: Write = { inserts, named: given, positional: [] };
  return { relation: only.relation, write };
}

function ofDrawn(drawn: DrawnColumn): Facts {
  return {
    ...NOTHING,
    mask: drawn.mask,
    drawn: [drawn],
  };
}

function maskOf(
  nature: NonNullable<CatalogColumn["default"]>["nature"] | undefined,
): Free {
  return nature === "fixed" ? undefined : nature;
}

/** Whether it is a column as it stands in a row, of which a choice may have taken another one. */
function isPlainColumn(
  output: Output,
): output is Extract<Output, { name: unknown }> {
  return shownColumn(output) !== undefined;
}

/** The column that an output shows as it is; undefined: it shows something else. */
export function shownColumn(output: Output): RelationColumn | undefined {
  if (!("name" in output) || output.isColumn !== true) return undefined;
  const { parts, calls, columns: [column, more] } = output.trait;
  const isPlain = calls.length === 0 && more === undefined &&
    column?.as === undefined &&
    parts.every(({ mask }) => mask === "choice");
  return isPlain ? column : undefined;
}

export function isStar(output: Output): output is Extract<
  Output,
  { star: unknown }
> {
  return "star" in output;
}

function only(mask: Free): Facts {
  return mask === undefined
    ? NOTHING
    : { ...NOTHING, mask, isDrawnOnly: false };
}

/** What holds of a value that may be any of several, or comes of all of them. */
export function together(all: readonly Facts[]): Facts {
  const some = all.filter((facts) => facts !== NOTHING);
  if (some.length < 2) return some[0] ?? NOTHING;
  return {
    mask: freest(all.map(({ mask }) => mask)),
    hasSums: all.some(({ hasSums }) => hasSums),
    isKept: all.some(({ isKept }) => isKept),
    drawn: [...new Set(some.flatMap(({ drawn }) => drawn))],
    isDrawnOnly: some.every(({ isDrawnOnly }) => isDrawnOnly),
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
