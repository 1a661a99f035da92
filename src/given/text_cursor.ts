import { type Token, tokens } from "../sql/mod.ts";
import { type Span, textOf } from "./insert_places.ts";

/** Walks over the tokens of SQL text. */
export class TextCursor {
  readonly #bytes: Uint8Array;
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(bytes: Uint8Array, from: number, to: number) {
    this.#bytes = bytes;
    this.#tokens = [...tokens(bytes, from, to)];
  }

  /** Whether the next token is this keyword or symbol. */
  is(text: string): boolean {
    const token = this.#tokens[this.#at];
    return token !== undefined && textOf(this.#bytes, token) === text;
  }

  take(text: string): boolean {
    const isNext = this.is(text);
    if (isNext) this.#at++;
    return isNext;
  }

  /** A name, with its schema perhaps. */
  name(): boolean {
    do {
      const kind = this.#tokens[this.#at]?.kind;
      if (kind !== "word" && kind !== "name") return false;
      this.#at++;
    } while (this.take("."));
    return true;
  }

  /** What stands up to a token outside of brackets, or up to the end; undefined: nothing, or brackets do not match. */
  until(isEnd: (text: string) => boolean): Span | undefined {
    const first = this.#tokens[this.#at];
    let last: Token | undefined;
    let depth = 0;
    for (; this.#at < this.#tokens.length; this.#at++) {
      const token = this.#tokens[this.#at] as Token; // at < length
      const text = textOf(this.#bytes, token);
      if (depth === 0 && isEnd(text)) break;
      if (text === "(" || text === "[") depth++;
      else if (text === ")" || text === "]") depth--;
      if (depth < 0) return undefined;
      last = token;
    }
    if (first === undefined || last === undefined || depth > 0) {
      return undefined;
    }
    return { from: first.start, to: last.end };
  }
}
