import type { Nature } from "../sql/mod.ts";
import { Definition, stronger } from "./definition.ts";

/** Languages whose functions' texts say what they do. */
const READ_LANGUAGES: ReadonlySet<string> = new Set(["sql", "plpgsql"]);

/** Whose texts say what stands behind them. */
type Kind = "view" | "trigger" | "policy" | "function" | "body";

/** What stands behind views, functions, triggers and policies, with all that it mentions in its turn. */
export class Definitions {
  readonly #views = new Map<string, Definition>();
  readonly #triggers = new Map<string, Definition>();
  readonly #policies = new Map<string, Definition>();
  readonly #functions = new Map<string, Definition>();
  /** Of functions whose texts tell nothing of rows: they are immutable, or in a language that is not read. */
  readonly #bodies = new Map<string, Definition>();
  /** Functions that are declared volatile, as they are without a word on it. */
  readonly #volatile = new Set<string>();
  /** Those of them whose text says nothing. */
  readonly #opaque = new Set<string>();
  /** The same of others, which only read. */
  readonly #stable = new Set<string>();

  view(name: string): Definition | undefined {
    return this.#views.get(name);
  }

  /** Of all triggers and rules of a relation together. */
  trigger(relation: string): Definition | undefined {
    return this.#triggers.get(relation);
  }

  /** Of all row-level policies of a relation together. */
  policy(relation: string): Definition | undefined {
    return this.#policies.get(relation);
  }

  /** Of all functions of the name together. */
  function(name: string): Definition | undefined {
    return this.#functions.get(name);
  }

  /** Of all other functions of the name together: what they do beside rows. */
  body(name: string): Definition | undefined {
    return this.#bodies.get(name);
  }

  get views(): Iterable<[string, Definition]> {
    return this.#views;
  }

  get triggers(): Iterable<[string, Definition]> {
    return this.#triggers;
  }

  /** Takes a whole text. */
  add(kind: Kind, name: string, text: string): void {
    const map = {
      view: this.#views,
      trigger: this.#triggers,
      policy: this.#policies,
      function: this.#functions,
      body: this.#bodies,
    }[kind];
    let definition = map.get(name);
    if (definition === undefined) map.set(name, definition = new Definition());
    definition.add(text);
  }

  addVolatile(name: string, language: string): void {
    this.#volatile.add(name);
    if (!READ_LANGUAGES.has(language)) this.#opaque.add(name);
  }

  /** A stable function in a language that is not read. */
  addStable(name: string): void {
    this.#stable.add(name);
  }

  /** Whether a function of the name may do what stands nowhere. */
  isUnread(name: string): boolean {
    return this.#opaque.has(name) || this.#stable.has(name);
  }

  /** A definition, with the views and functions that it mentions. */
  whole(
    definition: Definition,
  ): Pick<Definition, "words" | "nature" | "isDynamic" | "writes"> & {
    /** It calls a function of a user … */
    readonly callsUser: boolean;
    /** … or one whose text says nothing. */
    readonly isOpaque: boolean;
    /** Functions that may do what stands nowhere. */
    readonly unread: readonly string[];
  } {
    const seen = new Set([definition]);
    const words = new Set<string>();
    const writes: string[] = [];
    const unread: string[] = [];
    let nature: Nature | undefined;
    let isDynamic = false;
    let isOpaque = false;
    let callsUser = false;
    // A set gives what is added to it while it is walked.
    for (const next of seen) {
      nature = stronger(nature, next.nature);
      isDynamic ||= next.isDynamic;
      writes.push(...next.writes);
      for (const word of next.words) {
        words.add(word);
        const view = this.#views.get(word);
        if (view !== undefined) seen.add(view);
      }
      for (const name of next.calls) {
        isOpaque ||= this.#opaque.has(name);
        if (this.isUnread(name)) unread.push(name);
        const called = this.#functions.get(name);
        if (called === undefined) continue;
        callsUser = true;
        seen.add(called);
      }
    }
    return { words, nature, isDynamic, writes, callsUser, isOpaque, unread };
  }

  /** What a user's function gives; undefined: its arguments and the data decide. */
  functionNature(name: string): Nature | undefined {
    if (this.#opaque.has(name)) return "chance";
    const definition = this.#functions.get(name);
    return definition && this.#natureOf(definition);
  }

  /**
   * What an expression gives. Of a volatile function that tells neither time
   * nor chance it may be anything: it reads what it likes.
   */
  expressionNature(text: string): Nature | undefined {
    const definition = new Definition();
    definition.add(withoutLiterals(text));
    let nature = this.#natureOf(definition);
    for (const name of definition.calls) {
      if (!this.#volatile.has(name)) continue;
      nature = stronger(nature, this.functionNature(name) ?? "chance");
    }
    return nature;
  }

  #natureOf(definition: Definition): Nature | undefined {
    const { nature, isDynamic, isOpaque } = this.whole(definition);
    return isDynamic || isOpaque ? "chance" : nature;
  }
}

/** A text whose literals mention nothing, but for those that a cast may turn into the moment. */
function withoutLiterals(text: string): string {
  return text.replace(
    /"(?:[^"]|"")*"|'(?:[^']|'')*'/g,
    (token) => /^'[a-z]{3,9}'$/i.test(token) || token[0] === '"' ? token : "''",
  );
}
