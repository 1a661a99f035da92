import { natureOfCall } from "../sql/mod.ts";
import { Definition } from "./definition.ts";
import type { Definitions } from "./definitions.ts";

/** What a statement names. */
export interface Named {
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  /** Functions that it calls. */
  readonly calls: readonly string[];
}

/** Relations by their names without schemas. */
export interface Reach {
  /** All that a statement may read, lock or write. */
  readonly touched: readonly string[];
  /** What of it the statement may write. */
  readonly written: readonly string[];
}

/** What of a schema a reach is followed through. */
export interface ReachOptions {
  readonly definitions: Definitions;
  readonly isRelation: (name: string) => boolean;
  /** Relations whose rows are also this one's, or the other way round. */
  readonly familyOf: (name: string) => Iterable<string>;
  /** The expressions of its columns' defaults. */
  readonly defaultsOf: (name: string) => Iterable<string>;
  /** For each sequence that defaults draw from: their relations. */
  readonly drawn: () => ReadonlyMap<string, ReadonlySet<string>>;
}

/** A relation's foreign keys. */
interface References {
  /** Relations that it refers to, or that refer to it: a write looks there, and locks rows. */
  readonly beside: Set<string>;
  /** Those whose rows change with its own. */
  readonly below: Set<string>;
}

/** Stands for a relation: all who draw from the sequence write it. */
const SEQUENCE = "sequence\0";
/** Words of a text that writes rows or locks them. */
const WRITING = ["insert", "update", "delete", "merge", "truncate", "lock"];
/** A sequence that is not told by a default: it may be anybody's. */
const DRAWING = ["nextval", "setval"];

/**
 * How far statements reach: behind views, partitions, foreign keys, triggers,
 * rules, policies, and functions, those of defaults too. What a text mentions
 * counts as reached, and what a text that writes mentions as written.
 */
export class Reaches {
  readonly #options: ReachOptions;
  readonly #references = new Map<string, References>();
  /** By relation: the sequences that it shares with another one. */
  #shared: ReadonlyMap<string, readonly string[]> | undefined;

  constructor(options: ReachOptions) {
    this.#options = options;
  }

  /** A foreign key. @param cascades rows of `child` change with those of `parent`. */
  addReference(child: string, parent: string, cascades: boolean): void {
    this.#referencesOf(child).beside.add(parent);
    const above = this.#referencesOf(parent);
    (cascades ? above.below : above.beside).add(child);
  }

  #referencesOf(relation: string): References {
    let found = this.#references.get(relation);
    if (found === undefined) {
      found = { beside: new Set(), below: new Set() };
      this.#references.set(relation, found);
    }
    return found;
  }

  /** @returns undefined: anywhere. A name is not known, or a text does not say all that it does. */
  of({ reads, writes, calls }: Named): Reach | undefined {
    const { isRelation, familyOf, defaultsOf } = this.#options;
    if (!reads.every(isRelation) || !writes.every(isRelation)) return undefined;
    const touched = new Set(reads);
    const written = new Set(writes);
    if (!this.#addCalls(calls, touched, written)) return undefined;
    const { definitions } = this.#options;
    // A set gives what is added to it while it is walked.
    for (const name of written) {
      const references = this.#references.get(name);
      for (const one of references?.below ?? []) written.add(one);
      for (const one of references?.beside ?? []) touched.add(one);
      for (const one of familyOf(name)) written.add(one);
      // What is written through a view is a row of one that it names.
      const behind = [definitions.view(name), definitions.trigger(name)];
      for (const one of behind) {
        if (!this.#add(one, written)) return undefined;
      }
      for (const expression of defaultsOf(name)) {
        const definition = new Definition();
        definition.add(expression);
        if (!this.#addCalls(definition.calls, touched, written)) {
          return undefined;
        }
      }
    }
    for (const name of written) touched.add(name);
    for (const name of touched) {
      for (const one of familyOf(name)) touched.add(one);
      const behind = [definitions.view(name), definitions.policy(name)];
      for (const one of behind) {
        if (!this.#add(one, touched)) return undefined;
      }
    }
    for (const name of [...written]) {
      for (const one of this.#sharedBy(name)) {
        touched.add(one);
        written.add(one);
      }
    }
    return { touched: [...touched], written: [...written] };
  }

  /** Whether functions write by dynamic SQL: their texts do not say what. */
  writesAnything(calls: Iterable<string>): boolean {
    const { definitions } = this.#options;
    for (const name of calls) {
      const definition = definitions.function(name);
      if (definition === undefined) continue;
      const { words, isDynamic } = definitions.whole(definition);
      if (isDynamic && isWriting(words)) return true;
    }
    return false;
  }

  /** @returns whether the functions' texts say all. */
  #addCalls(
    calls: Iterable<string>,
    touched: Set<string>,
    written: Set<string>,
  ): boolean {
    const { definitions } = this.#options;
    for (const name of calls) {
      if (definitions.isUnread(name) && !isUsual(name)) return false;
      const definition = definitions.function(name);
      if (definition === undefined) continue;
      const { words } = definitions.whole(definition);
      const found = isWriting(words) ? written : touched;
      if (!this.#add(definition, found)) return false;
    }
    return true;
  }

  /** @returns whether the text says all. */
  #add(definition: Definition | undefined, found: Set<string>): boolean {
    if (definition === undefined) return true;
    const { definitions, isRelation } = this.#options;
    const { words, isDynamic, unread } = definitions.whole(definition);
    if (isDynamic || !unread.every(isUsual)) return false;
    if (DRAWING.some((word) => words.has(word))) return false;
    for (const word of words) if (isRelation(word)) found.add(word);
    return true;
  }

  /** The sequences that this relation and another one draw from: the order of their rows decides which numbers each gets. */
  #sharedBy(relation: string): readonly string[] {
    if (this.#shared === undefined) {
      const shared = new Map<string, string[]>();
      for (const [sequence, relations] of this.#options.drawn()) {
        if (relations.size < 2) continue;
        for (const one of relations) {
          const known = shared.get(one);
          const name = SEQUENCE + sequence;
          if (known === undefined) shared.set(one, [name]);
          else known.push(name);
        }
      }
      this.#shared = shared;
    }
    return this.#shared.get(relation) ?? [];
  }
}

/** Whether a text of these words may write rows. */
export function isWriting(words: ReadonlySet<string>): boolean {
  return WRITING.some((word) => words.has(word));
}

/** Of an extension that everybody knows: it makes an id, or a salt. */
function isUsual(name: string): boolean {
  return natureOfCall(name, 0) !== undefined;
}
