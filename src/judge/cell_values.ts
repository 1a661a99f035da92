/** Types by OID (catalog/pg_type.dat) whose values are read here. */
export const BOOL = 16;
export const TEXT = 25;
export const JSON_TYPE = 114;
export const XML = 142;
export const FLOAT4 = 700;
export const FLOAT8 = 701;
export const BPCHAR = 1_042;
export const VARCHAR = 1_043;
export const DATE = 1_082;
export const TIME = 1_083;
export const TIMESTAMP = 1_114;
export const TIMESTAMPTZ = 1_184;
export const TIMETZ = 1_266;
export const NUMERIC = 1_700;
export const JSONB = 3_802;

const DAY_US = 86_400_000_000;
/** PostgreSQL's epoch, 2000-01-01, in microseconds of Unix. */
const EPOCH_US = 946_684_800_000_000;

const decoder = new TextDecoder();

/**
 * Microseconds of a point in time, within a day for times of day.
 *
 * @returns undefined: a form that is not read, `infinity` among them. Text is
 *   read in DateStyle ISO (manual, "Date/Time Output").
 */
export function timeUs(
  cell: Uint8Array,
  type: number,
  isBinary: boolean,
): number | undefined {
  if (isBinary) return binaryTimeUs(cell, type);
  const text = decoder.decode(cell);
  const found = TIME_TEXT.exec(text);
  if (found === null) return undefined;
  const { y, mo, d, h = "0", mi = "0", s = "0", f = "", zone } = found.groups ??
    {};
  const fraction = Number(f.padEnd(6, "0"));
  const ofDay = ((Number(h) * 60 + Number(mi)) * 60 + Number(s)) * 1e6 +
    fraction - zoneUs(zone);
  if (type === TIME || type === TIMETZ) {
    return y === undefined ? ofDay : undefined;
  }
  if (y === undefined || found.groups?.bc) return undefined;
  return Date.UTC(Number(y), Number(mo) - 1, Number(d)) * 1_000 + ofDay;
}

const TIME_TEXT =
  /^(?:(?<y>\d{4,6})-(?<mo>\d\d)-(?<d>\d\d))?[ T]?(?:(?<h>\d\d):(?<mi>\d\d):(?<s>\d\d)(?:\.(?<f>\d{1,6}))?)?(?<zone>[+-]\d\d(?::?\d\d){0,2})?(?<bc> BC)?$/;

function zoneUs(zone: string | undefined): number {
  if (zone === undefined) return 0;
  const [h = 0, m = 0, s = 0] = zone.slice(1).split(":").map(Number);
  const us = ((h * 60 + m) * 60 + s) * 1e6;
  return zone.startsWith("-") ? -us : us;
}

function binaryTimeUs(cell: Uint8Array, type: number): number | undefined {
  const view = new DataView(cell.buffer, cell.byteOffset, cell.length);
  if (type === DATE) {
    return cell.length === 4 ? view.getInt32(0) * DAY_US + EPOCH_US : undefined;
  }
  if (cell.length < 8) return undefined;
  const us = Number(view.getBigInt64(0));
  if (type === TIME) return us;
  // Seconds west of Greenwich follow.
  if (type === TIMETZ) {
    return cell.length === 12 ? us + view.getInt32(8) * 1e6 : undefined;
  }
  return Math.abs(us) > 1e18 ? undefined : us + EPOCH_US;
}

/** How much later `b` is than `a`, in microseconds; times of day by the shorter way around the clock. */
export function laterUs(a: number, b: number, type: number): number {
  if (type !== TIME && type !== TIMETZ) return b - a;
  const later = ((b - a) % DAY_US + DAY_US) % DAY_US;
  return later > DAY_US / 2 ? later - DAY_US : later;
}

/** A number; undefined: not read. */
export function floatOf(
  cell: Uint8Array,
  type: number,
  isBinary: boolean,
): number | undefined {
  if (!isBinary) {
    const value = Number(decoder.decode(cell));
    return Number.isNaN(value) ? undefined : value;
  }
  const view = new DataView(cell.buffer, cell.byteOffset, cell.length);
  if (type === FLOAT4 && cell.length === 4) return view.getFloat32(0);
  if (type === FLOAT8 && cell.length === 8) return view.getFloat64(0);
  return undefined;
}

/**
 * How far float sums of another order may be apart, relative to the larger one.
 * A sum of n values of one sign is off by (n - 1) u at the most, u being 2^-53
 * for float8 and 2^-24 for float4 (Higham, "Accuracy and Stability of Numerical
 * Algorithms", section 4.2): 1e-9 allows for 4 million values or for a million
 * of which most cancel out; 1e-3 for 8,000 values.
 */
export function areFloatsAlike(a: number, b: number, type: number): boolean {
  if (a === b) return true;
  const tolerance = type === FLOAT4 ? 1e-3 : 1e-9;
  return Math.abs(a - b) <= tolerance * Math.max(Math.abs(a), Math.abs(b));
}

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

/** Equal for numbers that are equal: 1.0 and 1.00. */
export function plainNumber(text: string): string {
  return /^-?\d+\.\d*$/.test(text) ? text.replace(/\.?0+$/, "") : text;
}

/** Equal for texts that differ in case only. */
export function caseFree(cell: Uint8Array): string {
  return decoder.decode(cell).toLowerCase();
}
