import type { Nature } from "../sql/mod.ts";
import { Definition } from "./definition.ts";

export interface CatalogColumn {
  readonly name: string;
  readonly default:
    | { readonly nature: "sequence" | "time" | "chance" | "fixed" }
    | undefined;
}

/** What a statement is known to touch. */
export interface Touched {
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  /** Functions that it calls. */
  readonly calls: readonly string[];
}

/**
 * What is known of a server's schema: unique keys, what stands behind views and
 * functions, and what a write to one relation does to others. Names are without
 * their schemas: of several relations of a name the union counts, for keys the
 * part that all have.
 */
export class Catalog {
  readonly #relations = new Map<string, string[]>();
  /** Columns of unique keys without NULLs, by OID. */
  readonly #keys = new Map<string, (readonly string[])[]>();
  readonly #views = new Map<string, Definition>();
  readonly #triggers = new Map<string, Definition>();
  readonly #functions = new Map<string, Definition>();
  /** Relations whose rows are also another's: partitions and those that inherit, both ways. */
  readonly #family = new Map<string, Set<string>>();
  /** By relation: those that, being written, write it. */
  readonly #writers = new Map<string, Set<string>>();
  /** Relations with a trigger that may write anything. */
  readonly #anything = new Set<string>();
  /** Answers by statement: a mirror that differs all the time asks all the time. */
  readonly #known = new WeakMap<Touched, readonly string[]>();

  /** @param rows answers to CATALOG_QUESTION; none: nothing is known. */
  constructor(rows: readonly (readonly string[])[] = []) {
    for (const [kind = "", name = "", text = ""] of rows) {
      this.#take(kind, name, text);
    }
    for (const [view, { words }] of this.#views) {
      for (const word of words) {
        if (this.#relations.has(word)) add(this.#writers, word, view);
      }
    }
    for (const [table, definition] of this.#triggers) {
      const { words, isDynamic } = this.#whole(definition);
      if (isDynamic) this.#anything.add(table);
      for (const word of words) {
        if (this.#relations.has(word)) add(this.#writers, word, table);
      }
    }
  }

  #take(kind: string, name: string, text: string): void {
    switch (kind) {
      case "relation":
        this.#relations.set(name, [...this.#relations.get(name) ?? [], text]);
        return;
      case "key":
        this.#keys.set(name, [
          ...this.#keys.get(name) ?? [],
          text.split("\n"),
        ]);
        return;
      case "child":
        add(this.#family, name, text);
        add(this.#family, text, name);
        return;
      case "cascade":
        return add(this.#writers, name, text);
      case "view":
        return define(this.#views, name, text);
      case "trigger":
        return define(this.#triggers, name, text);
      case "function":
        return define(this.#functions, name, text);
    }
  }

  columns(_relation: string): readonly CatalogColumn[] | undefined {
    return undefined;
  }

  functionNature(name: string): Nature | undefined {
    const definition = this.#functions.get(name);
    return definition !== undefined && this.#whole(definition).isVolatile
      ? "chance"
      : undefined;
  }

  triggerNature(relation: string, _column: string): Nature | undefined {
    const definition = this.#triggers.get(relation);
    return definition !== undefined && this.#whole(definition).isVolatile
      ? "chance"
      : undefined;
  }

  viewText(_name: string): string | undefined {
    return undefined;
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
    const definitions = [
      ...reads.map((name) => this.#views.get(name)),
      ...writes.map((name) => this.#triggers.get(name)),
      ...calls.map((name) => this.#functions.get(name)),
    ];
    return definitions.some((definition) =>
      definition !== undefined && this.#whole(definition).isVolatile
    );
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
      const definition = this.#functions.get(name);
      if (definition !== undefined) this.#addRelations(read, definition);
    }
    // A set gives what is added to it while it is walked.
    for (const name of read) {
      const view = this.#views.get(name);
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
    for (const word of this.#whole(definition).words) {
      if (this.#relations.has(word)) found.add(word);
    }
  }

  /** A definition, with the views and functions that it mentions. */
  #whole(definition: Definition): Omit<Definition, "add" | "calls"> {
    const seen = new Set([definition]);
    const words = new Set<string>();
    let isVolatile = false;
    let isDynamic = false;
    for (const next of seen) {
      isVolatile ||= next.isVolatile;
      isDynamic ||= next.isDynamic;
      for (const word of next.words) {
        words.add(word);
        const view = this.#views.get(word);
        if (view !== undefined) seen.add(view);
      }
      for (const name of next.calls) {
        const called = this.#functions.get(name);
        if (called !== undefined) seen.add(called);
      }
    }
    return { words, isVolatile, isDynamic };
  }
}

function add(sets: Map<string, Set<string>>, key: string, value: string): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([value]));
  else set.add(value);
}

function define(
  map: Map<string, Definition>,
  name: string,
  text: string,
): void {
  let definition = map.get(name);
  if (definition === undefined) map.set(name, definition = new Definition());
  definition.add(text);
}
