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

const decoder = new TextDecoder();
/** Stands for a literal until all are numbered: of private use, in no SQL. */
const LITERAL = "\ue000";

/**
 * The tokens of SQL that no parser has read, for people and as its name: words
 * in small letters, one space for spaces and comments, `$1` for each literal.
 * Lists of literals, and equal rows of VALUES, count as one.
 *
 * @param bytes SQL text in `bytes[from, to)`.
 */
export function literalFreeText(
  bytes: Uint8Array,
  from: number,
  to: number,
): string {
  let text = "";
  for (let at = from; at < to;) {
    const start = at;
    const byte = bytes[at] as number;
    const kind = CLASSES[byte] as number;
    if (kind === SPACE || isComment(bytes, at)) {
      at = skipSpace(bytes, at, to);
      text += " ";
    } else if (kind === QUOTE) {
      // E'…' escapes with a backslash; its letter is part of the literal.
      const prefix = /(?<![a-z0-9_$\x80-\uffff])(?:[ebxn]|u&)$/.exec(text)?.[0];
      at = skipQuoted(bytes, at, to, prefix === "e");
      text = text.slice(0, text.length - (prefix?.length ?? 0)) + LITERAL;
    } else if (kind === DIGIT) {
      at = skipNumber(bytes, at, to);
      text += LITERAL;
    } else if (kind === DOLLAR && skipDollar(bytes, at, to) > at) {
      at = skipDollar(bytes, at, to);
      text += LITERAL;
    } else if (byte === 0x22) {
      at = skipIdentifier(bytes, at, to);
      text += decoder.decode(bytes.slice(start, at));
    } else if (kind === WORD) {
      while (at < to && isInWord(CLASSES[bytes[at] as number] as number)) at++;
      text += decoder.decode(bytes.slice(start, at)).toLowerCase();
    } else {
      at++;
      text += String.fromCharCode(byte);
    }
  }
  let count = 0;
  return text.trim()
    .replaceAll(/(\ue000)(?: ?, ?\ue000)+/g, "$1, …")
    .replaceAll(/(\([^()]*\))(?: ?, ?\1)+/g, "$1, …")
    .replaceAll(LITERAL, () => `$${++count}`);
}

function isInWord(kind: number): boolean {
  return kind === WORD || kind === DIGIT || kind === DOLLAR;
}
