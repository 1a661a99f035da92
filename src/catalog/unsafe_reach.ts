import type { Deeds, UnsafeKind } from "../sql/mod.ts";
import { Definition } from "./definition.ts";
import type { Definitions } from "./definitions.ts";
import { isWriting, type Named } from "./reach.ts";

/** What of a schema is followed. */
export interface UnsafeReachOptions {
  readonly definitions: Definitions;
  /**
   * Whether a name is a relation whose rows another server holds.
   *
   * @param schemas that may stand in front of it; undefined: none does.
   */
  readonly isForeign: (
    name: string,
    schemas?: ReadonlySet<string> | "any",
  ) => boolean;
  /** The expressions of a relation's defaults. */
  readonly defaultsOf: (name: string) => Iterable<string>;
}

/** What a statement does. */
export interface Doing extends Named {
  /** It writes relations with their schemas. */
  readonly namesSchemas?: boolean | undefined;
}

/** What was defined, by what it is of and its name, and what that does. */
export type Fresh = ReadonlyMap<string, Deeds>;

/**
 * What unsafe thing statements come to behind functions, views, triggers, rules,
 * policies and defaults. Which text leads to which goes by the names that it
 * mentions, what a text does by itself the parser says.
 */
export class UnsafeReach {
  readonly #options: UnsafeReachOptions;

  constructor(options: UnsafeReachOptions) {
    this.#options = options;
  }

  /** @param named with all that is written behind it. */
  of(
    { reads, writes, calls, namesSchemas = false }: Doing,
    fresh: Fresh = NOTHING_FRESH,
  ): readonly UnsafeKind[] {
    const { definitions, isForeign, defaultsOf } = this.#options;
    const kinds = new Set<UnsafeKind>();
    // A set gives what is added to it while it is walked.
    const seen = new Set<Definition>();
    const see = (definition: Definition | undefined) => {
      if (definition !== undefined) seen.add(definition);
    };
    const done = new Set<Deeds>();
    const also = (key: string) => {
      const deeds = fresh.get(key);
      if (deeds === undefined || done.has(deeds)) return;
      done.add(deeds);
      for (const kind of deeds.kinds) kinds.add(kind);
      for (const name of deeds.calls) called(name);
      for (const name of deeds.reads) read(name);
      for (const name of deeds.writes) written(name);
    };
    const called = (name: string) => {
      see(definitions.function(name));
      see(definitions.body(name));
      also(`routine ${name}`);
    };
    const read = (name: string) => {
      see(definitions.view(name));
      see(definitions.policy(name));
      also(`relation ${name}`);
    };
    const written = (name: string) => {
      read(name);
      also(`foreign ${name}`);
      see(definitions.trigger(name));
      for (const expression of defaultsOf(name)) {
        const definition = new Definition();
        definition.add(expression);
        see(definition);
      }
    };
    for (const name of calls) called(name);
    for (const name of reads) read(name);
    for (const name of writes) {
      written(name);
      if (isForeign(name, namesSchemas ? "any" : undefined)) {
        kinds.add("foreign_write");
      }
    }
    for (const definition of seen) {
      const { words, danger } = definition;
      for (const kind of danger?.kinds ?? []) kinds.add(kind);
      const writesRows = isWriting(words);
      for (const name of words) {
        if (writesRows) written(name);
        else read(name);
        if (
          writesRows && isForeign(name, words) && definition.writesRowsOf(name)
        ) {
          kinds.add("foreign_write");
        }
      }
      for (const name of definition.calls) called(name);
      for (const name of danger?.calls ?? []) called(name);
    }
    return [...kinds];
  }
}

const NOTHING_FRESH: Fresh = new Map();
