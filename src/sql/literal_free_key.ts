import { TIME_LITERAL } from "./volatile.ts";

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
  /** Within an identifier or keyword: digits there are no literal. */
  let inWord = false;
  let depth = 0;
  /** The last token was a literal; a comma behind it is held back: `1, 2, 3` in parentheses is one literal. */
  let afterLiteral = false;
  let comma = false;
  /** Numbers behind BY are columns, behind LIMIT and FETCH FIRST bounds: they tell. */
  let tells = false;
  let spaced = true;
  /** Within a quoted identifier every byte tells. */
  let quoted = false;
  for (let at = from; at < to;) {
    const byte = bytes[at] as number;
    const kind = CLASSES[byte] as number;
    let token = byte;
    let literal = false;
    if (byte === 0x22) quoted = !quoted;
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
      token = 0x27 + timeLiteral(bytes, start, at);
      literal = token === 0x27;
    } else if (kind === DIGIT && !inWord) {
      const end = skipNumber(bytes, at, to);
      literal = !tells || end - at > MAX_TOLD_DIGITS;
      if (!literal) {
        token = 0;
        for (let i = at; i < end; i++) {
          token = token << 8 | (bytes[i] as number);
        }
      }
      at = end;
      if (literal) token = 0x30;
    } else if (kind === DOLLAR && !inWord) {
      const end = skipDollar(bytes, at, to);
      literal = end > at;
      at = literal ? end : at + 1;
      if (literal) token = 0x27;
    } else at++;
    if (literal && comma) {
      comma = false;
      continue;
    }
    if (byte === COMMA && afterLiteral && depth > 0) {
      comma = true;
      continue;
    }
    if (kind === WORD) {
      // The end of BY, LIMIT, FIRST, NEXT, or of another word that ends so: no harm.
      const last = (previous | 0x20) << 8 | byte | 0x20;
      tells = last === 0x6279 || last === 0x6974 || last === 0x7374 ||
        last === 0x7874;
    } else if (token !== SPACE_TOKEN && byte !== COMMA && kind !== DIGIT) {
      tells = false;
    }
    if (byte === 0x28) depth++;
    else if (byte === 0x29) depth--;
    if (comma) {
      comma = false;
      a = Math.imul(a ^ COMMA, 0x01000193);
      b = Math.imul(b + COMMA, 0x85ebca6b) ^ (b >>> 15);
    }
    previous = byte;
    afterLiteral = literal;
    if (token !== SPACE_TOKEN) spaced = false;
    inWord = kind === WORD || (inWord && (kind === DIGIT || kind === DOLLAR));
    a = Math.imul(a ^ token, 0x01000193);
    b = Math.imul(b + token, 0x85ebca6b) ^ (b >>> 15);
  }
  return (a >>> 0) * 0x200000 + (b >>> 11);
}

/** Longer numbers tell nothing, behind whatever. */
export const MAX_TOLD_DIGITS = 4;

const COMMA = 0x2c;
const SPACE_TOKEN = 0x20;
const OTHER = 0;
const SPACE = 1;
const QUOTE = 2;
const DIGIT = 3;
const DOLLAR = 4;
const WORD = 5;

const CLASSES = Uint8Array.from({ length: 256 }, (_, byte) => {
  const char = String.fromCharCode(byte);
  if (/[ \t\n\r\f\v]/.test(char)) return SPACE;
  if (char === "'") return QUOTE;
  if (/[0-9]/.test(char)) return DIGIT;
  if (char === "$") return DOLLAR;
  return /[A-Za-z_]/.test(char) || byte >= 0x80 ? WORD : OTHER;
});

/** `--` or `/*`: a comment tells nothing, and may be another one each time. */
function isComment(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0x2d
    ? bytes[at + 1] === 0x2d
    : bytes[at] === 0x2f && bytes[at + 1] === 0x2a;
}

/** Behind spaces and comments; those with slash and asterisk nest. */
function skipSpace(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to) {
    if (CLASSES[bytes[at] as number] === SPACE) at++;
    else if (!isComment(bytes, at)) break;
    else if (bytes[at] === 0x2d) {
      while (at < to && bytes[at] !== 0x0a) at++;
    } else {
      let depth = 0;
      do {
        const pair = (bytes[at] as number) << 8 | (bytes[at + 1] ?? 0);
        if (pair === 0x2f2a) depth++;
        else if (pair === 0x2a2f) depth--;
        at += pair === 0x2f2a || pair === 0x2a2f ? 2 : 1;
      } while (depth > 0 && at < to);
    }
  }
  return Math.min(at, to);
}

function skipQuoted(
  bytes: Uint8Array,
  from: number,
  to: number,
  escapes: boolean,
): number {
  let at = from + 1;
  while (at < to) {
    const byte = bytes[at++];
    if (byte === 0x5c && escapes) at++;
    else if (byte === 0x27) {
      if (bytes[at] !== 0x27) return at;
      at++;
    }
  }
  return to;
}

/** The first letter of a literal that tells the moment, `now` and its kin: 0 of all others. */
function timeLiteral(bytes: Uint8Array, from: number, to: number): number {
  // From 'now' to 'yesterday'; most others begin with another letter.
  if (to - from < 5 || to - from > 11) return 0;
  const letter = (bytes[from + 1] as number) | 0x20;
  if (letter !== 0x6e && letter !== 0x74 && letter !== 0x79) return 0;
  const text = String.fromCharCode(...bytes.subarray(from + 1, to - 1));
  return TIME_LITERAL.test(text) ? letter : 0;
}

function skipNumber(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to) {
    const byte = bytes[at] as number;
    if (CLASSES[byte] !== DIGIT && byte !== 0x2e && (byte | 0x20) !== 0x65) {
      break;
    }
    at++;
  }
  return at;
}

/** Behind `$1`, or `$tag$ … $tag$`; `from` itself if it is neither. */
function skipDollar(bytes: Uint8Array, from: number, to: number): number {
  if (CLASSES[bytes[from + 1] as number] === DIGIT) {
    return skipNumber(bytes, from + 1, to);
  }
  let tagEnd = from + 1;
  while (
    tagEnd < to &&
    (CLASSES[bytes[tagEnd] as number] === WORD ||
      (tagEnd > from + 1 && CLASSES[bytes[tagEnd] as number] === DIGIT))
  ) tagEnd++;
  if (bytes[tagEnd] !== 0x24) return from;
  const length = tagEnd + 1 - from;
  for (let at = tagEnd + 1; at + length <= to; at++) {
    let i = 0;
    while (i < length && bytes[at + i] === bytes[from + i]) i++;
    if (i === length) return at + length;
  }
  return to;
}
