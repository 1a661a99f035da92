/**
 * What the bytes of SQL text are, as far as literals and comments go (manual,
 * "Lexical Structure"). Text that no grammar takes has its tokens, too.
 *
 * @module
 */

const OTHER = 0;
export const SPACE = 1;
export const QUOTE = 2;
export const DIGIT = 3;
export const DOLLAR = 4;
export const WORD = 5;
const DOT = 0x2e;

/** The class of each byte. */
export const CLASSES = Uint8Array.from({ length: 256 }, (_, byte) => {
  const char = String.fromCharCode(byte);
  if (/[ \t\n\r\f\v]/.test(char)) return SPACE;
  if (char === "'") return QUOTE;
  if (/[0-9]/.test(char)) return DIGIT;
  if (char === "$") return DOLLAR;
  return /[A-Za-z_]/.test(char) || byte >= 0x80 ? WORD : OTHER;
});

/** `--` or `/*`: a comment tells nothing, and may be another one each time. */
export function isComment(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0x2d
    ? bytes[at + 1] === 0x2d
    : bytes[at] === 0x2f && bytes[at + 1] === 0x2a;
}

/** Behind spaces and comments; those with slash and asterisk nest. */
export function skipSpace(bytes: Uint8Array, from: number, to: number): number {
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

export function skipQuoted(
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

/**
 * Behind a number. What the grammar may refuse behind it (`123abc`) is no part
 * of it: there it tells one text from another.
 */
export function skipNumber(
  bytes: Uint8Array,
  from: number,
  to: number,
): number {
  const digits = (at: number) => {
    while (at < to && (CLASSES[bytes[at] as number] === DIGIT)) at++;
    return at;
  };
  let at = digits(from);
  if (bytes[at] === DOT) at = digits(at + 1);
  if (at < to && ((bytes[at] as number) | 0x20) === 0x65) {
    const sign = bytes[at + 1] === 0x2b || bytes[at + 1] === 0x2d ? 1 : 0;
    const end = digits(at + 1 + sign);
    if (end > at + 1 + sign) at = end;
  }
  return Math.min(at, to);
}

/** Behind a quoted identifier; `""` within it is a quote. */
export function skipIdentifier(
  bytes: Uint8Array,
  from: number,
  to: number,
): number {
  let at = from + 1;
  while (at < to) {
    if (bytes[at++] !== 0x22) continue;
    if (bytes[at] !== 0x22) return at;
    at++;
  }
  return to;
}

/** Behind `$1`, or `$tag$ … $tag$`; `from` itself if it is neither. */
export function skipDollar(
  bytes: Uint8Array,
  from: number,
  to: number,
): number {
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
