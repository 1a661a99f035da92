import {
  CLASSES,
  DIGIT,
  DOLLAR,
  isComment,
  QUOTE,
  skipDollar,
  skipIdentifier,
  skipNumber,
  skipQuoted,
  skipSpace,
  SPACE,
  WORD,
} from "./lexer.ts";

const DOUBLE_QUOTE = 0x22;

/** A token of SQL text: where it begins and ends, and the class of its first byte. */
export interface Token {
  readonly start: number;
  readonly end: number;
  readonly kind: "word" | "name" | "literal" | "parameter" | "symbol";
}

/** The tokens in `bytes[from, to)`, without comments; each byte of an operator is one. */
export function* tokens(
  bytes: Uint8Array,
  from: number,
  to: number,
): Generator<Token> {
  for (let at = from; at < to;) {
    const class_ = CLASSES[bytes[at] as number] as number; // in bounds
    if (class_ === SPACE || isComment(bytes, at)) {
      at = skipSpace(bytes, at, to);
      continue;
    }
    const start = at;
    let kind: Token["kind"] = "symbol";
    if (class_ === QUOTE) {
      const escapes = start > from &&
        ((bytes[start - 1] as number) | 0x20) === 0x65;
      at = skipQuoted(bytes, at, to, escapes);
      kind = "literal";
    } else if (class_ === DIGIT) {
      at = skipNumber(bytes, at, to);
      kind = "literal";
    } else if (class_ === DOLLAR) {
      at = skipDollar(bytes, at, to);
      if (at === start) at++;
      else {
        const isNumber = CLASSES[bytes[start + 1] as number] === DIGIT;
        kind = isNumber ? "parameter" : "literal";
      }
    } else if (bytes[at] === DOUBLE_QUOTE) {
      at = skipIdentifier(bytes, at, to);
      kind = "name";
    } else if (class_ === WORD) {
      while (at < to && isWordTail(CLASSES[bytes[at] as number] as number)) {
        at++;
      }
      kind = "word";
    } else at++;
    yield { start, end: at, kind };
  }
}

function isWordTail(kind: number): boolean {
  return kind === WORD || kind === DIGIT || kind === DOLLAR;
}
