import { type Nature, natureOfCall, TIME_LITERAL } from "../sql/mod.ts";

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
 * is not parsed: the bodies of functions are in languages of their own, and a
 * name too many only makes more of a difference chance.
 */
export class Definition {
  readonly words = new Set<string>();
  readonly calls = new Set<string>();
  /** What the text itself says; what it calls may say more. */
  nature: Nature | undefined;
  isDynamic = false;
  /** Statements that write, as they stand. */
  readonly writes: string[] = [];

  /** Takes a text, which is one of several of a name. */
  add(text: string): void {
    for (const [word] of text.matchAll(WORD)) {
      this.words.add(word).add(word.toLowerCase());
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
