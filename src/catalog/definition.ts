import { natureOfCall, TIME_LITERAL } from "../sql/mod.ts";

const WORD = /[\p{L}_][\p{L}\p{N}_$]*/gu;
const CALL = /([\p{L}_][\p{L}\p{N}_$]*)"?\s*\(/gu;
const KEYWORD =
  /\b(current_(date|time|timestamp|user|role|catalog|schema)|localtime|localtimestamp|session_user)\b/i;
const CAST = /'([a-z]{3,9})'(?=\s*::)/gi;
/** Dynamic SQL: what it reads and writes stands nowhere. */
const DYNAMIC = /\bexecute\b(?!\s+(function|procedure))/i;

/**
 * What the text of a view, a rule or a function may mention. It is not parsed:
 * the bodies of functions are in languages of their own, and a name too many
 * only makes more of a difference chance.
 */
export class Definition {
  readonly words = new Set<string>();
  readonly calls = new Set<string>();
  isVolatile = false;
  isDynamic = false;

  /** Takes a part of the text; words at its ends are whole in one of its neighbours. */
  add(text: string): void {
    for (const [word] of text.matchAll(WORD)) {
      this.words.add(word).add(word.toLowerCase());
    }
    for (const [, name = ""] of text.matchAll(CALL)) {
      this.calls.add(name).add(name.toLowerCase());
      // Without its arguments age() is taken for the one of two.
      if (natureOfCall(name.toLowerCase(), 2) !== undefined) {
        this.isVolatile = true;
      }
    }
    for (const [, literal = ""] of text.matchAll(CAST)) {
      if (TIME_LITERAL.test(literal)) this.isVolatile = true;
    }
    if (KEYWORD.test(text)) this.isVolatile = true;
    if (DYNAMIC.test(text)) this.isDynamic = true;
  }
}
