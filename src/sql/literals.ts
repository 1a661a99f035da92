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

/** The literals of SQL text in `bytes[from, to)`: where each begins and ends. Strings in a row are one literal. */
export function* literals(
  bytes: Uint8Array,
  from: number,
  to: number,
): Generator<readonly [start: number, end: number]> {
  let string: [number, number] | undefined;
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
      if (string === undefined) string = [start, at];
      else string[1] = at;
      continue;
    }
    if (string !== undefined) yield string;
    string = undefined;
    if (kind === DIGIT) {
      at = skipNumber(bytes, at, to);
      yield [start, at];
    } else if (kind === DOLLAR) {
      at = skipDollar(bytes, at, to);
      if (at === start) at++;
      else if (CLASSES[bytes[start + 1] as number] !== DIGIT) yield [start, at];
    } else if (bytes[at] === DOUBLE_QUOTE) at = skipIdentifier(bytes, at, to);
    else if (kind === WORD) {
      while (at < to && isWordTail(CLASSES[bytes[at] as number] as number)) {
        at++;
      }
    } else at++;
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
