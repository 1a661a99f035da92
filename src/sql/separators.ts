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
import type { Shape } from "./shape.ts";

const decoder = new TextDecoder();
const JOINING: ReadonlySet<string> = new Set(["string_agg", "array_to_string"]);
/** Elements of xmlagg() have nothing between them, and begin with a tag. */
const TAG = "<";
/** Separators of one shape that are told apart: of more nothing is known. */
const MAX_VARIANTS = 16;
/** Characters of a list of separators: of a longer one nothing is known. */
const MAX_LENGTH = 64;
/** What the variants of one shape hold, about: an object, a list and its key each. */
export const VARIANTS_BYTES = MAX_VARIANTS * 1_024;

/** A literal, or the number of a parameter. */
export type Separator = string | number;

/** Whether a statement joins elements into a text. */
export function joins({ calls }: Shape): boolean {
  return calls.some((name) => JOINING.has(name) || name === "xmlagg");
}

/**
 * What the calls of string_agg() and array_to_string() in a text put between
 * elements.
 *
 * @param bytes SQL text in `bytes[from, to)`.
 * @returns undefined: of one of them the text does not say it.
 */
export function separatorsOf(
  bytes: Uint8Array,
  from: number,
  to: number,
): readonly Separator[] | undefined {
  const tokens = tokensOf(bytes, from, to);
  const found = new Set<Separator>();
  for (let i = 0; i + 1 < tokens.length; i++) {
    const name = tokens[i];
    if (typeof name !== "string" || tokens[i + 1] !== "(") continue;
    if (name === "xmlagg") found.add(TAG);
    if (!JOINING.has(name)) continue;
    const separator = secondArgument(tokens, i + 2);
    if (separator === undefined) return undefined;
    found.add(separator);
  }
  return [...found];
}

const variants = new WeakMap<Shape, Map<string, Shape>>();

/** A shape whose text tells its separators, too: one for each list of them. */
export function withSeparators(
  shape: Shape,
  separators: readonly Separator[] | undefined,
): Shape {
  if (separators === undefined || separators.length === 0) return shape;
  const length = separators.reduce<number>(
    (sum, one) => sum + `${one}`.length,
    0,
  );
  if (length > MAX_LENGTH) return shape;
  let known = variants.get(shape);
  if (known === undefined) variants.set(shape, known = new Map());
  const key = JSON.stringify(separators);
  const before = known.get(key);
  if (before !== undefined) return before;
  if (known.size >= MAX_VARIANTS) return shape;
  const variant = {
    ...shape,
    // A part of a text would hold all of it.
    separators: JSON.parse(key) as readonly Separator[],
    base: shape.base ?? shape,
  };
  known.set(key, variant);
  return variant;
}

/** A word or mark, a literal or a parameter; undefined: a token of another kind. */
type Token = string | { readonly value: Separator } | undefined;

/** The only token of a call's second argument, perhaps with a cast. */
function secondArgument(
  tokens: readonly Token[],
  from: number,
): Separator | undefined {
  let depth = 0;
  let argument = 1;
  const own: Token[] = [];
  for (let i = from; i < tokens.length; i++) {
    const token = tokens[i];
    if (depth === 0) {
      if (token === ")" || argument === 2 && token === "order") break;
      if (token === ",") {
        argument++;
        continue;
      }
    }
    if (token === "(" || token === "[") depth++;
    else if (token === ")" || token === "]") depth--;
    if (argument === 2) own.push(token);
  }
  const [first, colon, colons, type, ...more] = own;
  if (typeof first !== "object" || more.length > 0) return undefined;
  const isWhole = own.length === 1 ||
    colon === ":" && colons === ":" && typeof type === "string";
  return isWhole && first.value !== "" ? first.value : undefined;
}

function tokensOf(bytes: Uint8Array, from: number, to: number): Token[] {
  const tokens: Token[] = [];
  for (let at = from; at < to;) {
    const start = at;
    const kind = CLASSES[bytes[at] as number] as number;
    if (kind === SPACE || isComment(bytes, at)) at = skipSpace(bytes, at, to);
    else if (kind === QUOTE) {
      // E'…' and U&'…': the letter stands before the quote without a space.
      const prefix = CLASSES[bytes[at - 1] ?? 0] === WORD ? tokens.pop() : "";
      at = skipQuoted(bytes, at, to, prefix === "e");
      const text = decoder.decode(bytes.slice(start + 1, at - 1))
        .replaceAll("''", "'");
      const value = prefix === "e" ? unescaped(text) : text;
      const isPlain = prefix === "" || prefix === "e" || prefix === "n";
      tokens.push(isPlain && value !== undefined ? { value } : undefined);
    } else if (kind === DOLLAR && skipDollar(bytes, at, to) > at) {
      at = skipDollar(bytes, at, to);
      const text = decoder.decode(bytes.slice(start, at));
      const number = /^\$(\d+)$/.exec(text)?.[1];
      tokens.push({
        value: number === undefined
          ? text.replace(/^\$[^$]*\$/, "").replace(/\$[^$]*\$$/, "")
          : Number(number),
      });
    } else if (kind === DIGIT) {
      at = skipNumber(bytes, at, to);
      tokens.push(undefined);
    } else if (bytes[at] === 0x22) {
      at = skipIdentifier(bytes, at, to);
      tokens.push(decoder.decode(bytes.slice(start + 1, at - 1)));
    } else if (kind === WORD) {
      while (at < to && isInWord(CLASSES[bytes[at] as number] as number)) at++;
      tokens.push(decoder.decode(bytes.slice(start, at)).toLowerCase());
    } else tokens.push(String.fromCharCode(bytes[at++] as number));
  }
  return tokens;
}

function isInWord(kind: number): boolean {
  return kind === WORD || kind === DIGIT || kind === DOLLAR;
}

/** What E'…' stands for; undefined: an escape that is not read. */
function unescaped(text: string): string | undefined {
  let isRead = true;
  const plain = text.replace(/\\(.)/gs, (_, letter: string) => {
    const read = ESCAPES[letter];
    isRead &&= read !== undefined;
    return read ?? "";
  });
  return isRead ? plain : undefined;
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  "\\": "\\",
  "'": "'",
};
