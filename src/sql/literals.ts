import { nextToken, tokenEnd, tokenKind } from "./tokens.ts";

const QUOTE = 0x27;

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
  for (let start = nextToken(bytes, from, to); start < to;) {
    const end = tokenEnd(bytes, from, start, to);
    const isLiteral = tokenKind(bytes, start, end) === "literal";
    if (isLiteral && bytes[start] === QUOTE) {
      if (string === undefined) string = [start, end, before];
      else string[1] = end;
    } else {
      if (string !== undefined) yield string;
      string = undefined;
      if (isLiteral) yield [start, end, before];
    }
    before = bytes[end - 1] as number; // a token has bytes
    start = nextToken(bytes, end, to);
  }
  if (string !== undefined) yield string;
}

/** Where the literals of a text begin. */
export function literalStarts(text: Uint8Array): number[] {
  return [...literals(text, 0, text.length)].map(([start]) => start);
}
