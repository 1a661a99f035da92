import { BYTEA, JSON_TYPE, JSONB, TEXTS } from "./type_oids.ts";

const decoder = new TextDecoder();
/** Brackets within brackets whose elements are told apart: each level is written out anew. */
const MAX_DEPTH = 100;
/** Begins what deeper ones are compared by: no text has it. */
const DEEP = "\0";

/**
 * Equal for lists of the same elements, whatever their order, at any depth.
 *
 * @param separators what stands between the elements of a text; empty: unknown.
 * @returns undefined: it is no list.
 */
export function listText(
  cell: Uint8Array,
  type: number,
  separators: readonly string[],
): string | undefined {
  if (type === BYTEA) return letters(decoder.decode(cell));
  if (isText(cell, type)) {
    const text = decoder.decode(cell);
    switch (wayOf(text, separators)) {
      case "brackets":
        return bracketText(text) ?? letters(text);
      case "parts":
        return partsText(text, separators);
      case "letters":
        return letters(text);
    }
  }
  return typedText(cell, type);
}

/** Of a value that is no text. */
function typedText(cell: Uint8Array, type: number): string | undefined {
  // A text has no NUL; an array of another format has some, and jsonb its version.
  if (type === JSONB && cell[0] === 1) cell = cell.subarray(1);
  else if (type !== JSON_TYPE && cell.includes(0)) return binaryArrayText(cell);
  return bracketText(decoder.decode(cell));
}

/**
 * Whether two lists of equal {@linkcode listText} have the same elements.
 *
 * @returns undefined: that can't be told.
 */
export function areListsAlike(
  a: Uint8Array,
  b: Uint8Array,
  type: number,
  separators: readonly string[],
): boolean | undefined {
  if (type === BYTEA) return undefined;
  if (!isText(a, type)) return !isByLetters(typedText(a, type)) || undefined;
  const [one, other] = [decoder.decode(a), decoder.decode(b)];
  const way = wayOf(one, separators);
  if (way === "parts") return true;
  const brackets = isBracketed(one) ? bracketText(one) : DEEP;
  const isTold = brackets !== undefined && !isByLetters(brackets);
  if (way === "brackets") return isTold || undefined;
  // Perhaps both are lists of another kind.
  const isSame = separators.length > 0 &&
      partsText(one, separators) === partsText(other, separators) ||
    isTold && brackets === bracketText(other);
  return isSame || undefined;
}

/** Whether a text of brackets tells its letters alone. */
function isByLetters(brackets: string | undefined): boolean {
  return brackets?.startsWith(DEEP) ?? false;
}

/** Without brackets a value of an unknown type is a text. */
function isText(cell: Uint8Array, type: number): boolean {
  return TEXTS.has(type) || type === 0 && !isBracketed(decoder.decode(cell));
}

/** How the elements of a text are told from each other. */
function wayOf(
  text: string,
  separators: readonly string[],
): "brackets" | "parts" | "letters" {
  if (isBracketed(text)) {
    return separators.length === 0 ? "brackets" : "letters";
  }
  return separators.length > 0 && !mayOverlap(separators) ? "parts" : "letters";
}

function isBracketed(text: string): boolean {
  return /^\s*[[{]/.test(text);
}

/** Of lists of separators. */
const overlaps = new WeakMap<readonly string[], boolean>();

/** Whether separators may share letters: `--` and `--`, `, ` and `,`. Behind an element that ends like one, it is not found for sure. */
function mayOverlap(separators: readonly string[]): boolean {
  let found = overlaps.get(separators);
  if (found === undefined) {
    found = doOverlap(separators);
    overlaps.set(separators, found);
  }
  return found;
}

function doOverlap(separators: readonly string[]): boolean {
  return separators.some((one, i) =>
    separators.some((other, j) => {
      for (let at = i === j ? 1 : 0; at < one.length; at++) {
        const rest = one.slice(at);
        if (rest.startsWith(other) || other.startsWith(rest)) return true;
      }
      return false;
    })
  );
}

/** Elements between separators, sorted. */
function partsText(text: string, separators: readonly string[]): string {
  const [first = "", ...others] = separators;
  let parts = text.split(first);
  for (const other of others) {
    parts = parts.flatMap((part) => part.split(other));
  }
  return parts.sort().join("\0");
}

/** Where elements begin is not known: their letters, sorted. */
function letters(text: string): string {
  return [...text].sort().join("");
}

/** `[…]` and `{…}` of JSON and of arrays, with sorted elements; undefined: they are no pairs. */
function bracketText(text: string): string | undefined {
  interface Open {
    readonly mark: string;
    readonly items: string[];
    item: string;
  }
  const stack: Open[] = [{ mark: "", items: [], item: "" }];
  for (let at = 0; at < text.length; at++) {
    const mark = text[at] as string; // at < length
    const top = stack.at(-1) as Open; // never empty
    switch (mark) {
      case '"': {
        const from = at++;
        while (at < text.length && text[at] !== '"') {
          at += text[at] === "\\" ? 2 : 1;
        }
        top.item += text.slice(from, at + 1);
        break;
      }
      case "[":
      case "{":
        if (stack.length > MAX_DEPTH) return DEEP + letters(text);
        stack.push({ mark, items: [], item: "" });
        break;
      case "]":
      case "}": {
        if (stack.length === 1) return undefined;
        stack.pop();
        top.items.push(top.item);
        (stack.at(-1) as Open).item += top.mark +
          top.items.toSorted().join(",") + mark;
        break;
      }
      case ",":
        if (stack.length === 1) top.item += mark;
        else {
          top.items.push(top.item);
          top.item = "";
        }
        break;
      case " ":
      case "\n":
      case "\t":
        // Between elements; within a string it was taken with it.
        if (stack.length === 1) top.item += mark;
        break;
      default:
        top.item += mark;
    }
  }
  return stack.length === 1 ? stack[0]?.item : undefined;
}

/** Dimensions, flags, the elements' type, then the elements (array_send in arrayfuncs.c). */
function binaryArrayText(cell: Uint8Array): string | undefined {
  const view = new DataView(cell.buffer, cell.byteOffset, cell.length);
  if (cell.length < 12) return undefined;
  const dimensions = view.getInt32(0);
  const head = 12 + 8 * dimensions;
  if (dimensions < 0 || dimensions > 6 || cell.length < head) return undefined;
  const elements: string[] = [];
  for (let at = head; at + 4 <= cell.length;) {
    const length = view.getInt32(at);
    at += 4;
    const end = at + Math.max(0, length);
    if (end > cell.length) return undefined;
    elements.push(length < 0 ? "NULL" : cell.slice(at, end).toHex());
    at = end;
  }
  return `${cell.slice(0, head).toHex()}:${elements.toSorted().join(",")}`;
}
