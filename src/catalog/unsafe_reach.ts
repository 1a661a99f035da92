import type { UnsafeKind } from "../sql/mod.ts";
import { Definition } from "./definition.ts";
import type { Definitions } from "./definitions.ts";
import { isWriting, type Named } from "./reach.ts";

/** What of a schema is followed. */
export interface UnsafeReachOptions {
  readonly definitions: Definitions;
  /** Whether a name is a relation whose rows another server holds. */
  readonly isForeign: (name: string) => boolean;
  /** The expressions of a relation's defaults. */
  readonly defaultsOf: (name: string) => Iterable<string>;
}

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
  of({ reads, writes, calls }: Named): readonly UnsafeKind[] {
    const { definitions, isForeign, defaultsOf } = this.#options;
    const kinds = new Set<UnsafeKind>();
    // A set gives what is added to it while it is walked.
    const seen = new Set<Definition>();
    const see = (definition: Definition | undefined) => {
      if (definition !== undefined) seen.add(definition);
    };
    const called = (name: string) => {
      see(definitions.function(name));
      see(definitions.body(name));
    };
    const read = (name: string) => {
      see(definitions.view(name));
      see(definitions.policy(name));
    };
    const written = (name: string) => {
      read(name);
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
      if (isForeign(name)) kinds.add("foreign_write");
    }
    for (const definition of seen) {
      const { words, danger } = definition;
      for (const kind of danger?.kinds ?? []) kinds.add(kind);
      const writesRows = isWriting(words);
      for (const name of words) {
        if (writesRows) written(name);
        else read(name);
        if (writesRows && isForeign(name) && definition.writesRowsOf(name)) {
          kinds.add("foreign_write");
        }
      }
      for (const name of definition.calls) called(name);
      for (const name of danger?.calls ?? []) called(name);
    }
    return [...kinds];
  }
}
