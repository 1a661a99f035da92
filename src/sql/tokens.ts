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
  for (let at = nextToken(bytes, from, to); at < to;) {
    const start = at;
    const end = tokenEnd(bytes, from, start, to);
    at = nextToken(bytes, end, to);
    yield { start, end, kind: tokenKind(bytes, start, end) };
  }
}

/** Where the next token begins, behind spaces and comments; `to`: there is none. */
export function nextToken(bytes: Uint8Array, at: number, to: number): number {
  while (
    at < to &&
    (CLASSES[bytes[at] as number] === SPACE || isComment(bytes, at))
  ) at = skipSpace(bytes, at, to);
  return at;
}

/** Where the token ends that begins at `start` of a text in `bytes[from, to)`. */
export function tokenEnd(
  bytes: Uint8Array,
  from: number,
  start: number,
  to: number,
): number {
  switch (CLASSES[bytes[start] as number]) {
    case QUOTE: {
      const escapes = start > from &&
        ((bytes[start - 1] as number) | 0x20) === 0x65;
      return skipQuoted(bytes, start, to, escapes);
    }
    case DIGIT:
      return skipNumber(bytes, start, to);
    case DOLLAR:
      return Math.max(skipDollar(bytes, start, to), start + 1);
    case WORD: {
      let at = start + 1;
      while (at < to && isWordTail(CLASSES[bytes[at] as number] as number)) {
        at++;
      }
      return at;
    }
    default:
      return bytes[start] === DOUBLE_QUOTE
        ? skipIdentifier(bytes, start, to)
        : start + 1;
  }
}

/** What a token in `bytes[start, end)` is. */
export function tokenKind(
  bytes: Uint8Array,
  start: number,
  end: number,
): Token["kind"] {
  switch (CLASSES[bytes[start] as number]) {
    case QUOTE:
    case DIGIT:
      return "literal";
    case DOLLAR:
      if (end === start + 1) return "symbol";
      return CLASSES[bytes[start + 1] as number] === DIGIT
        ? "parameter"
        : "literal";
    case WORD:
      return "word";
    default:
      return bytes[start] === DOUBLE_QUOTE ? "name" : "symbol";
  }
}

function isWordTail(kind: number): boolean {
  return kind === WORD || kind === DIGIT || kind === DOLLAR;
}
