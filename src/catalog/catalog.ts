import type { Nature } from "../sql/mod.ts";
import { type CatalogColumn, common, RelationColumns } from "./columns.ts";
import type { Definition } from "./definition.ts";
import { Definitions } from "./definitions.ts";
import { FIRST_OWN_OID, TypePair } from "./type_pair.ts";
import { RowChangers } from "./row_changers.ts";
import type { RowChanges } from "./trigger_changes.ts";
import { wholeRows } from "./whole_rows.ts";

/** What a statement is known to touch. */
export interface Touched {
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  /** Functions that it calls. */
  readonly calls: readonly string[];
}

/** Characters of a view that are kept. */
const MAX_VIEW = 65_536;

/**
 * What is known of a server's schema: columns and unique keys, what stands
 * behind views and functions, and what a write to one relation does to its own
 * rows and to others. Names are without their schemas: of several relations of
 * a name the union counts, for keys and columns the part that all have.
 */
export class Catalog {
  readonly #relations = new Map<string, string[]>();
  /** Columns of unique keys without NULLs, by OID. */
  readonly #keys = new Map<string, (readonly string[])[]>();
  readonly #definitions = new Definitions();
  /** By name: the texts of all views that have it. */
  readonly #viewTexts = new Map<string, string[]>();
  readonly #columns = new RelationColumns({
    typeName: (oid) => this.types.mirror.names?.get(oid),
    natureOf: (text) => this.#definitions.expressionNature(text),
  });
  readonly #changers = new RowChangers((text) =>
    this.#definitions.expressionNature(text)
  );
  readonly #changes = new Map<string, RowChanges | undefined>();
  /** Relations whose rows are also another's: partitions and those that inherit, both ways. */
  readonly #family = new Map<string, Set<string>>();
  /** By relation: those that, being written, write it. */
  readonly #writers = new Map<string, Set<string>>();
  /** Relations with a trigger that may write anything. */
  readonly #anything = new Set<string>();
  /** Answers by statement: a mirror that differs all the time asks all the time. */
  readonly #known = new WeakMap<Touched, readonly string[]>();
  /** The types of both servers. */
  readonly types: TypePair;

  /** @param rows answers to CATALOG_QUESTION; none: nothing is known. */
  constructor(
    rows: readonly (readonly string[])[] = [],
    types: TypePair = new TypePair(),
  ) {
    this.types = types;
    if (rows.length > 0) types.mirror.learn(rows);
    for (const [kind, name, text, more] of wholeRows(rows)) {
      this.#take(kind, name, text, more);
    }
    for (const [view, { words }] of this.#definitions.views) {
      for (const word of words) {
        if (this.#relations.has(word)) add(this.#writers, word, view);
      }
    }
    for (const [table, definition] of this.#definitions.triggers) {
      const { words, isDynamic } = this.#definitions.whole(definition);
      if (isDynamic) this.#anything.add(table);
      for (const word of words) {
        if (this.#relations.has(word)) add(this.#writers, word, table);
      }
    }
  }

  #take(kind: string, name: string, text: string, more: string): void {
    switch (kind) {
      case "relation":
        return push(this.#relations, name, text);
      case "key":
        return push(this.#keys, name, text.split("\n"));
      case "child":
        add(this.#family, name, text);
        add(this.#family, text, name);
        return;
      case "cascade":
        return add(this.#writers, name, text);
      case "view":
        push(this.#viewTexts, name, text);
        return this.#definitions.add(kind, name, text);
      case "trigger":
      case "function":
        return this.#definitions.add(kind, name, text);
      case "volatile":
        return this.#definitions.addVolatile(name, text);
      case "columns":
        return this.#columns.add(Number(name), text);
      case "type":
        return this.#columns.addDomainBase(Number(name), Number(more));
      case "domain":
        return this.#columns.addDomainDefault(Number(name), text);
      case "changer":
        return this.#changers.add(name, text, more);
      case "change":
        return this.#changers.addFunction(name, more, text);
    }
  }

  /** Whether equal values in `columns` are in one row of `relation` at most. */
  isUnique(relation: string, columns: readonly (string | number)[]): boolean {
    const oids = this.#relations.get(relation);
    return oids !== undefined &&
      oids.every((oid) =>
        this.#keys.get(oid)?.some((key) =>
          key.every((column) => columns.includes(column))
        )
      );
  }

  /** Whether a view, a function or a trigger behind the statement gives what differs by nature. */
  isVolatile({ reads, writes, calls }: Touched): boolean {
    const known = this.#definitions;
    const definitions = [
      ...reads.map((name) => known.view(name)),
      ...writes.map((name) => known.trigger(name)),
      ...calls.map((name) => known.function(name)),
    ];
    return definitions.some((definition) =>
      definition !== undefined && known.whole(definition).nature !== undefined
    );
  }

  /** What a user's function gives; undefined: its arguments and the data decide, or it is none. */
  functionNature(name: string): Nature | undefined {
    return this.#definitions.functionNature(name);
  }

  /** A view's query, if there is one view of the name only, and it is not endless. */
  viewText(name: string): string | undefined {
    const [text, ...others] = this.#viewTexts.get(name) ?? [];
    return others.length > 0 || (text?.length ?? 0) > MAX_VIEW
      ? undefined
      : text;
  }

  /** A relation's columns in their order; of several relations of the name, if all have the same. */
  columns(relation: string): readonly CatalogColumn[] | undefined {
    const oids = this.#relations.get(relation) ?? [];
    return common(oids.map((oid) => this.#columns.of(Number(oid))));
  }

  /** The column that a RowDescription of this server names by its table and number. */
  columnAt(relationOid: number, number: number): CatalogColumn | undefined {
    return this.#columns.at(relationOid, number);
  }

  /** The name of a type whose OID is this server's own. */
  typeName(oid: number): string | undefined {
    return oid < FIRST_OWN_OID ? undefined : this.types.mirror.names?.get(oid);
  }

  /**
   * The columns that triggers set to what an equal server may have otherwise,
   * by the moment or by chance, whatever the client writes. Undefined: none
   * does, or the relation is not known.
   */
  changedByTrigger(relation: string): RowChanges | undefined {
    if (this.#changes.has(relation)) return this.#changes.get(relation);
    // A row goes to a partition, which has triggers of its own.
    const family = new Set([relation]);
    for (const name of family) {
      for (const more of this.#family.get(name) ?? []) family.add(more);
    }
    let changes = this.#changers.changesOf(family);
    if (changes !== undefined && changes !== "all") {
      const columns = this.columns(relation);
      const names = columns?.map(({ name }) => name);
      const found = [...changes].filter(([name]) =>
        names?.includes(name) ?? true
      );
      changes = found.length === 0 ? undefined : new Map(found);
    }
    this.#changes.set(relation, changes);
    return changes;
  }

  /** The OID of a column's type; undefined if relations of the name differ in it, or none is known. */
  columnType(relation: string, column: string): number | undefined {
    return this.columns(relation)?.find(({ name }) => name === column)
      ?.typeOid;
  }

  /** Whether no function of a user has the name, which might read anything. */
  readonly isForeign = (name: string): boolean =>
    this.#definitions.function(name) === undefined;

  /**
   * Whether who writes a row of a table by the values of these columns writes no
   * other one of it, and leaves the values: no trigger or rule of its own names
   * the table or the columns, no cascade leads back to it.
   */
  keepsRows(relation: string, columns: Iterable<string>): boolean {
    if (!this.#relations.has(relation)) return false;
    if (this.#viewTexts.has(relation) || this.#family.has(relation)) {
      return false;
    }
    if (this.#writers.get(relation)?.has(relation)) return false;
    const definition = this.#definitions.trigger(relation);
    if (definition === undefined) return true;
    const { words, isDynamic, isOpaque } = this.#definitions.whole(definition);
    return !isDynamic && !isOpaque && !words.has(relation) &&
      [...columns].every((column) => !words.has(column));
  }

  /** The relations that, being written, may change what the statement reads. */
  writersOf(touched: Touched): readonly string[] {
    let writers = this.#known.get(touched);
    if (writers === undefined) {
      this.#known.set(touched, writers = this.#findWriters(touched));
    }
    return writers;
  }

  #findWriters({ reads, calls }: Touched): readonly string[] {
    const read = new Set(reads);
    for (const name of calls) {
      const definition = this.#definitions.function(name);
      if (definition !== undefined) this.#addRelations(read, definition);
    }
    // A set gives what is added to it while it is walked.
    for (const name of read) {
      const view = this.#definitions.view(name);
      if (view !== undefined) this.#addRelations(read, view);
    }
    for (const name of read) {
      for (const more of this.#family.get(name) ?? []) read.add(more);
      for (const more of this.#writers.get(name) ?? []) read.add(more);
    }
    if (read.size > 0) { for (const name of this.#anything) read.add(name); }
    return [...read];
  }

  #addRelations(found: Set<string>, definition: Definition): void {
    for (const word of this.#definitions.whole(definition).words) {
      if (this.#relations.has(word)) found.add(word);
    }
  }
}

function add(sets: Map<string, Set<string>>, key: string, value: string): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([value]));
  else set.add(value);
}

function push<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
