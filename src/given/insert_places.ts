import { type Insertion, type Token, tokens } from "../sql/mod.ts";

/** A part of a text: byte offsets. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Where the parts of an INSERT stand in its text. */
export interface InsertPlaces {
  /** Behind the relation's name and alias. */
  readonly behindRelation: number;
  /** Behind the last name of the list of columns; undefined: there is no list. */
  readonly behindColumns: number | undefined;
  /** VALUES, or DEFAULT VALUES, or the whole query. */
  readonly values: Span;
  /** The values of each row. */
  readonly rows: readonly (readonly Span[])[];
  /** Behind them all. */
  readonly behindRows: number;
}

const decoder = new TextDecoder();

/**
 * Finds the parts of the INSERT in `bytes[from, to)`.
 *
 * @param insertion what its tree says.
 * @returns undefined if the text is not as expected.
 */
export function insertPlaces(
  bytes: Uint8Array,
  from: number,
  to: number,
  { columns, source, rows: count, width }: Insertion,
): InsertPlaces | undefined {
  const all = [...tokens(bytes, from, to)];
  let at = 0;
  const is = (text: string) => {
    const token = all[at];
    return token !== undefined && textOf(bytes, token) === text;
  };
  const take = (text: string) => is(text) && ++at > 0;
  const isName = () => all[at]?.kind === "word" || all[at]?.kind === "name";
  const end = () => (all[at - 1] as Token).end; // a token was taken

  at = mainStatement(bytes, all);
  if (!take("insert") || !take("into")) return undefined;
  do {
    if (!isName()) return undefined;
    at++;
  } while (take("."));
  if (take("as")) {
    if (!isName()) return undefined;
    at++;
  }
  const behindRelation = end();
  let behindColumns: number | undefined;
  if (columns.length > 0) {
    if (!take("(")) return undefined;
    for (let i = 0; i < columns.length; i++) {
      if (i > 0 && !take(",") || !isName()) return undefined;
      at++;
    }
    behindColumns = end();
    // A field or an element of a column.
    if (!take(")")) return undefined;
  }
  if (take("overriding")) at += 2;
  const valuesFrom = all[at]?.start ?? to;
  if (source === "constants" || source === "query") {
    if (!is("select") && (source === "constants" || !is("with") && !is("("))) {
      return undefined;
    }
    at = behindQuery(bytes, all, at, source);
    const values = { from: valuesFrom, to: end() };
    const behindRows = values.to;
    return { behindRelation, behindColumns, values, rows: [], behindRows };
  }
  const isDefault = take("default");
  if (isDefault !== (source === "defaults") || !take("values")) {
    return undefined;
  }
  const values = { from: valuesFrom, to: end() };
  const rows: (readonly Span[])[] = [];
  if (!isDefault) {
    do {
      if (!take("(")) return undefined;
      const row = items(bytes, all, at);
      if (row === undefined || row.spans.length !== width) return undefined;
      rows.push(row.spans);
      at = row.next;
    } while (take(","));
  }
  if (rows.length !== (isDefault ? 0 : count)) return undefined;
  const isEnd = at === all.length || is("on") || is("returning") || is(";");
  const behindRows = end();
  return isEnd
    ? { behindRelation, behindColumns, values, rows, behindRows }
    : undefined;
}

/** The token behind a query that begins at `first`. */
function behindQuery(
  bytes: Uint8Array,
  all: readonly Token[],
  first: number,
  source: "constants" | "query",
): number {
  // A join has ON, too: such a query is none of constants, and another one has no ON CONFLICT here.
  const ends = source === "query"
    ? ["returning", ";"]
    : ["on", "returning", ";"];
  let depth = 0;
  for (let at = first; at < all.length; at++) {
    const text = textOf(bytes, all[at] as Token); // at < length
    if (text === "(" || text === "[") depth++;
    else if (text === ")" || text === "]") depth--;
    else if (depth === 0 && ends.includes(text)) return at;
  }
  return all.length;
}

/** The place of the token that the statement begins with, behind its WITH. */
function mainStatement(bytes: Uint8Array, all: readonly Token[]): number {
  const [first] = all;
  if (first === undefined || textOf(bytes, first) !== "with") return 0;
  let depth = 0;
  return all.findIndex((token) => {
    const text = textOf(bytes, token);
    if (text === "(") depth++;
    else if (text === ")") depth--;
    return depth === 0 && text === "insert";
  });
}

/** What stands between commas up to the closing parenthesis. @param first the token behind the opening one. */
function items(
  bytes: Uint8Array,
  all: readonly Token[],
  first: number,
): { readonly spans: readonly Span[]; readonly next: number } | undefined {
  const spans: Span[] = [];
  let depth = 0;
  let start = first;
  for (let at = first; at < all.length; at++) {
    const token = all[at] as Token; // at < length
    const text = token.kind === "symbol" ? textOf(bytes, token) : "";
    const isClosing = text === ")" || text === "]";
    if (depth === 0 && (isClosing || text === ",")) {
      if (at === start) return undefined;
      spans.push({
        from: (all[start] as Token).start, // start < at
        to: (all[at - 1] as Token).end,
      });
      start = at + 1;
      if (isClosing) return { spans, next: at + 1 };
    }
    if (text === "(" || text === "[") depth++;
    else if (isClosing) depth--;
  }
  return undefined;
}

/** In lower case, as keywords are compared; of a long token nothing. */
export function textOf(bytes: Uint8Array, { start, end, kind }: Token): string {
  if (end - start > MAX_KEYWORD || kind === "name" || kind === "literal") {
    return "";
  }
  return decoder.decode(bytes.slice(start, end)).toLowerCase();
}

/** Characters of the longest word that matters: transaction_timestamp. */
const MAX_KEYWORD = 21;
