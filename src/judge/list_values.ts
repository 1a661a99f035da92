import { BPCHAR, JSON_TYPE, JSONB, TEXT, VARCHAR, XML } from "./type_oids.ts";

const decoder = new TextDecoder();

/** Equal for equal lists, whatever the order of their elements, at any depth; undefined: it is no list. */
export function listText(
  cell: Uint8Array,
  type: number,
  isBinary: boolean,
): string | undefined {
  if (isBinary && type !== JSON_TYPE && type !== TEXT && type !== VARCHAR) {
    return type === JSONB
      ? bracketText(decoder.decode(cell.subarray(1)))
      : binaryArrayText(cell);
  }
  const text = decoder.decode(cell);
  if (/^\s*[[{]/.test(text)) return bracketText(text);
  return type === TEXT || type === VARCHAR || type === BPCHAR || type === XML
    ? separatedText(text)
    : undefined;
}

/** `[…]` and `{…}` of JSON and of arrays, with sorted elements. */
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

/** Words and what is between them, sorted: equal if {@linkcode areJoinedAlike} holds. */
function separatedText(text: string): string {
  return (text.match(/[\p{L}\p{N}]+|[^\p{L}\p{N}]+/gu) ?? []).toSorted()
    .join("\0");
}

/**
 * Whether two texts are the same parts, joined in another order by one mark.
 * string_agg's separator is a literal, which a statement's shape does not hold:
 * it is taken for one of the marks between the words.
 */
export function areJoinedAlike(a: Uint8Array, b: Uint8Array): boolean {
  const [one, other] = [decoder.decode(a), decoder.decode(b)];
  const marks = [...new Set(one.match(/[^\p{L}\p{N}]+/gu))];
  if (marks.length === 0) marks.push("");
  const sorted = (text: string, mark: string) =>
    text.split(mark).toSorted().join("\0");
  return marks.slice(0, MAX_MARKS).some((mark) =>
    sorted(one, mark) === sorted(other, mark)
  );
}

const MAX_MARKS = 20;

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
