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
  for (let at = from; at < to;) {
    const byte = bytes[at] as number;
    const kind = CLASSES[byte] as number;
    let token = byte;
    if (kind === SPACE) {
      at++;
      while (at < to && CLASSES[bytes[at] as number] === SPACE) at++;
      token = 0x20;
    } else if (kind === QUOTE) {
      // E'…' escapes with a backslash; the letter before the quote tells.
      at = skipQuoted(bytes, at, to, (previous | 0x20) === 0x65);
      token = 0x27;
    } else if (kind === DIGIT && !inWord) {
      at = skipNumber(bytes, at, to);
      token = 0x30;
    } else if (kind === DOLLAR && !inWord) {
      const end = skipDollarQuoted(bytes, at, to);
      if (end > at) {
        at = end;
        token = 0x27;
      } else at++;
    } else at++;
    previous = byte;
    inWord = kind === WORD || (inWord && (kind === DIGIT || kind === DOLLAR));
    a = Math.imul(a ^ token, 0x01000193);
    b = Math.imul(b + token, 0x85ebca6b) ^ (b >>> 15);
  }
  return (a >>> 0) * 0x200000 + (b >>> 11);
}

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

/** `$tag$ … $tag$`; `from` itself if no tag begins there (a parameter does not). */
function skipDollarQuoted(bytes: Uint8Array, from: number, to: number): number {
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
