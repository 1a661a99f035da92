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
const QUOTE_BYTE = 0x27;

/**
 * The literals of SQL text in `bytes[from, to)`: where each begins and ends, and
 * the last byte before it that is neither space nor comment. Strings in a row are
 * one literal.
 */
export function* literals(
  bytes: Uint8Array,
  from: number,
  to: number,
): Generator<readonly [start: number, end: number, before: number]> {
  let string: [number, number, number] | undefined;
  let before = 0;
  for (let at = from; at < to;) {
    const kind = CLASSES[bytes[at] as number] as number;
    const start = at;
    if (kind === SPACE || isComment(bytes, at)) {
      at = skipSpace(bytes, at, to);
      continue;
    }
    if (kind === QUOTE) {
      const escapes = start > from &&
        ((bytes[start - 1] as number) | 0x20) === 0x65;
      at = skipQuoted(bytes, at, to, escapes);
      if (string === undefined) string = [start, at, before];
      else string[1] = at;
      before = QUOTE_BYTE;
      continue;
    }
    if (string !== undefined) yield string;
    string = undefined;
    if (kind === DIGIT) {
      at = skipNumber(bytes, at, to);
      yield [start, at, before];
    } else if (kind === DOLLAR) {
      at = skipDollar(bytes, at, to);
      if (at === start) at++;
      else if (CLASSES[bytes[start + 1] as number] !== DIGIT) {
        yield [start, at, before];
      }
    } else if (bytes[at] === DOUBLE_QUOTE) at = skipIdentifier(bytes, at, to);
    else if (kind === WORD) {
      while (at < to && isWordTail(CLASSES[bytes[at] as number] as number)) {
        at++;
      }
    } else at++;
    before = bytes[at - 1] as number;
  }
  if (string !== undefined) yield string;
}

/** Where the literals of a text begin. */
export function literalStarts(text: Uint8Array): number[] {
  return [...literals(text, 0, text.length)].map(([start]) => start);
}

function isWordTail(kind: number): boolean {
  return kind === WORD || kind === DIGIT || kind === DOLLAR;
}
