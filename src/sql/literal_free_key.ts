import { SNAPSHOT_LEVEL } from "./isolation.ts";
import { TIME_LITERAL } from "./volatile.ts";
import {
  CLASSES,
  DIGIT,
  DOLLAR,
  isComment,
  QUOTE,
  skipDollar,
  skipNumber,
  skipQuoted,
  skipSpace,
  SPACE,
  WORD,
} from "./lexer.ts";

/**
 * A cheap key for a statement's shape: a hash over its text in which every
 * literal counts the same, so that the parser (about 190 µs a text) runs once
 * per shape. It may tell apart what the parser would not; it never joins what
 * the parser tells apart, but for a chance of 2^-52.
 *
 * @param bytes SQL text in `bytes[from, to)`.
 * @returns a whole number below 2^53.
 */
export function literalFreeKey(
  bytes: Uint8Array,
  from: number,
  to: number,
): number {
  let a = 0x811c9dc5;
  let b = 0x2545f491;
  let previous = 0;
  /** The byte before that is no space. */
  let significant = 0;
  /** Within an identifier or keyword: digits there are no literal. */
  let inWord = false;
  /** The last word, as a number. */
  let word = 0;
  let depth = 0;
  /** The depth of the open IN (…) or […]: there `1, 2, 3` is one literal. */
  let list = 0;
  /** The last token was a literal of a list; a comma behind it is held back. */
  let afterLiteral = false;
  let comma = false;
  /** From this depth on, numbers at the head of an item are columns: BY was read. */
  let by = Infinity;
  let spaced = true;
  /** Within a quoted identifier every byte tells. */
  let quoted = false;
  for (let at = from; at < to;) {
    const byte = bytes[at] as number;
    const kind = CLASSES[byte] as number;
    let token = byte;
    let literal = false;
    if (byte === DOUBLE_QUOTE) quoted = !quoted;
    if (quoted) at++;
    else if (kind === SPACE || isComment(bytes, at)) {
      at = skipSpace(bytes, at, to);
      inWord = false;
      if (spaced || comma) continue;
      spaced = true;
      token = SPACE_TOKEN;
    } else if (kind === QUOTE) {
      // E'…' escapes with a backslash; the letter before the quote tells.
      const start = at;
      at = skipQuoted(bytes, at, to, (previous | 0x20) === 0x65);
      token = 0x27 + toldLiteral(bytes, start, at);
      literal = token === 0x27;
    } else if (kind === DIGIT && !inWord) {
      const start = at;
      at = skipNumber(bytes, at, to);
      const isColumn = depth >= by && !(list > 0 && depth === list) &&
        (significant === COMMA || significant === OPEN || word === BY);
      const isBound = at - start <= MAX_TOLD_DIGITS &&
        (word === LIMIT || word === FIRST || word === NEXT);
      literal = !isColumn && !isBound;
      if (literal) token = 0x30;
      else for (let i = start; i < at; i++) token = token * 31 + bytes[i]!; // in bounds
    } else if (kind === DOLLAR && !inWord) {
      const start = at;
      const end = skipDollar(bytes, at, to);
      const isParam = CLASSES[bytes[at + 1] as number] === DIGIT;
      literal = end > at && (!isParam || list > 0 && depth === list);
      at = end > at ? end : at + 1;
      if (literal) token = 0x27;
      // Which parameter stands where is no value: $1 is not $2, but in a list.
      else for (let i = start; i < at; i++) token = token * 31 + bytes[i]!; // in bounds
    } else at++;
    if (literal && comma) {
      comma = false;
      continue;
    }
    if (byte === COMMA && afterLiteral && !quoted) {
      comma = true;
      continue;
    }
    if (comma) {
      comma = false;
      a = Math.imul(a ^ COMMA, 0x01000193);
      b = Math.imul(b + COMMA, 0x85ebca6b) ^ (b >>> 15);
    }
    if (quoted) word = 0;
    else if (kind === WORD || (inWord && isWordTail(kind))) {
      word = (inWord ? word * 31 : 0) + (byte | 0x20) | 0;
    } else if (byte === OPEN || byte === OPEN_BRACKET) {
      depth++;
      if (byte === OPEN_BRACKET || word === IN) list = depth;
      else if (word === ON && by === Infinity) by = depth;
    } else if (byte === CLOSE || byte === CLOSE_BRACKET) {
      if (list === depth) list = 0;
      depth--;
      if (depth < by) by = Infinity;
    }
    if (token !== SPACE_TOKEN) {
      // A column's number stands behind BY or ON itself, a comma or a parenthesis.
      if (word === BY && by === Infinity) by = depth;
      // LIMIT (5) is LIMIT 5.
      const isWrapped = byte === OPEN &&
        (word === LIMIT || word === FIRST || word === NEXT);
      if (kind !== WORD && !(inWord && isWordTail(kind)) && !isWrapped) {
        word = 0;
      }
      significant = byte;
      spaced = false;
    }
    previous = byte;
    afterLiteral = literal && depth === list && list > 0;
    inWord = !quoted &&
      (kind === WORD || (inWord && isWordTail(kind)));
    a = Math.imul(a ^ token, 0x01000193);
    b = Math.imul(b + token, 0x85ebca6b) ^ (b >>> 15);
  }
  return (a >>> 0) * 0x200000 + (b >>> 11);
}

/** A longer LIMIT tells nothing. */
export const MAX_TOLD_DIGITS = 4;

const COMMA = 0x2c;
const OPEN = 0x28;
const CLOSE = 0x29;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const DOUBLE_QUOTE = 0x22;
const SPACE_TOKEN = 0x20;

/** May stand within a word, but not begin one. */
function isWordTail(kind: number): boolean {
  return kind === DIGIT || kind === DOLLAR;
}

/** A word as the loop adds it up. */
const wordOf = (text: string) =>
  [...text].reduce((sum, char) => sum * 31 + char.charCodeAt(0) | 0, 0);
const BY = wordOf("by");
const IN = wordOf("in");
const ON = wordOf("on");
/** Behind these a number bounds the rows. */
const LIMIT = wordOf("limit");
const FIRST = wordOf("first");
const NEXT = wordOf("next");

/**
 * The first letter of a literal that tells the moment, `now` and its kin, or a
 * level of isolation above READ COMMITTED: 0 of all others.
 */
function toldLiteral(bytes: Uint8Array, from: number, to: number): number {
  // From 'now' to 'repeatable read'; most others begin with another letter.
  if (to - from < 5 || to - from > 17) return 0;
  const letter = (bytes[from + 1] as number) | 0x20;
  const told = letter === 0x6e || letter === 0x74 || letter === 0x79
    ? TIME_LITERAL
    : letter === 0x72 || letter === 0x73
    ? SNAPSHOT_LEVEL
    : undefined;
  if (told === undefined) return 0;
  const text = String.fromCharCode(...bytes.subarray(from + 1, to - 1));
  return told.test(text) ? letter : 0;
}
