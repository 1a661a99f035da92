import {
  type Danger,
  mayBeUnsafe,
  type Nature,
  natureOfCall,
  TIME_LITERAL,
} from "../sql/mod.ts";
import { dangerOfDefinition } from "../sql/unsafe_code.ts";

const WORD = /[\p{L}_][\p{L}\p{N}_$]*/gu;
/** From a word's first letter: a long word is looked at once. */
const CALL = /(?<![\p{L}\p{N}_$])([\p{L}_][\p{L}\p{N}_$]*)"?\s*\(/gu;
const TIME_KEYWORD =
  /\b(current_(date|time|timestamp)|localtime|localtimestamp)\b/i;
const SESSION_KEYWORD =
  /\b(current_(user|role|catalog|schema)|session_user)\b/i;
const CAST = /'([a-z]{3,9})'(?=\s*::)/gi;
/** Dynamic SQL: what it reads and writes stands nowhere. */
const DYNAMIC = /\bexecute\b(?!\s+(function|procedure))/i;

/** What a text writes, up to the end of the statement. */
const WRITE =
  /\b(?:(?:insert|merge)\s+into|update\s+(?:only\s+)?[\p{L}\p{N}_$."]+(?:\s+(?:as\s+)?[\p{L}_]+)?\s+set)\b[^;]*/giu;
/** Of a function what it does with what it has written. */
const RETURNING = /\breturning\b[^]*$/i;

/**
 * What the text of a view, a rule, a function or an expression may mention. It
 * is not parsed for that: the bodies of functions are in languages of their own,
 * and a name too many only makes more of a difference chance. Only what is never
 * replayed the parser decides, and only where the text has a word of it.
 */
export class Definition {
  readonly words = new Set<string>();
  readonly calls = new Set<string>();
  /** What the text itself says; what it calls may say more. */
  nature: Nature | undefined;
  isDynamic = false;
  /** Statements that write, as they stand. */
  readonly writes: string[] = [];
  readonly #texts: string[] = [];
  readonly #dangers = new Map<string, Danger | undefined>();

  /** Takes a text, which is one of several of a name. */
  add(text: string): void {
    this.#texts.push(text);
    for (const [word] of text.matchAll(WORD)) {
      this.words.add(word).add(word.toLowerCase());
      // A body may begin right behind its quote: `$function$insert`.
      if (!word.includes("$")) continue;
      for (const part of word.split("$")) {
        this.words.add(part).add(part.toLowerCase());
      }
    }
    for (const [, name = ""] of text.matchAll(CALL)) {
      this.calls.add(name).add(name.toLowerCase());
      // Without its arguments age() is taken for the one of two.
      this.#see(natureOfCall(name.toLowerCase(), 2));
    }
    for (const [, literal = ""] of text.matchAll(CAST)) {
      if (TIME_LITERAL.test(literal)) this.#see("time");
    }
    if (TIME_KEYWORD.test(text)) this.#see("time");
    if (SESSION_KEYWORD.test(text)) this.#see("chance");
    if (DYNAMIC.test(text)) this.isDynamic = true;
    for (const [write] of text.matchAll(WRITE)) {
      this.writes.push(write.replace(RETURNING, ""));
    }
  }

  /** What its texts do that is never replayed; undefined: nothing. */
  get danger(): Pick<Danger, "kinds" | "calls"> | undefined {
    const dangers = this.#texts.filter(mayBeUnsafe)
      .flatMap((text) => this.#dangerOf(text) ?? []);
    return dangers.length === 0 ? undefined : {
      kinds: dangers.flatMap(({ kinds }) => kinds),
      calls: dangers.flatMap(({ calls }) => calls),
    };
  }

  /** Whether it writes rows of a relation by its name, as the parser sees it. */
  writesRowsOf(relation: string): boolean {
    return this.#texts.some((text) =>
      this.#dangerOf(text)?.writes.includes(relation)
    );
  }

  #dangerOf(text: string): Danger | undefined {
    if (!this.#dangers.has(text)) {
      this.#dangers.set(text, dangerOfDefinition(text));
    }
    return this.#dangers.get(text);
  }

  #see(nature: Nature | undefined): void {
    this.nature = stronger(this.nature, nature);
  }
}

/** Of two natures the one that excuses more. */
export function stronger(
  a: Nature | undefined,
  b: Nature | undefined,
): Nature | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a === "time" ? b : a;
}
