import { parseSync } from "libpg-query";
import type { Updating } from "../sql/mod.ts";
import type { GivenColumn, GivenColumns } from "./given_columns.ts";
import { expressionOf, type WriteValue } from "./value_text.ts";
import type { Span } from "./insert_places.ts";
import { type Edit, spliced } from "./texts.ts";
import { text, type Tree, withoutSets } from "./proof.ts";
import { TextCursor } from "./text_cursor.ts";

const decoder = new TextDecoder();

/**
 * Writes an UPDATE's text so that its rows take the given values.
 *
 * @param bytes SQL text in `bytes[from, to)`.
 * @returns undefined if the text is not as expected.
 */
export function updatedText(
  bytes: Uint8Array,
  from: number,
  to: number,
  updating: Updating,
  { columns }: GivenColumns,
  value: WriteValue,
): Uint8Array<ArrayBuffer> | undefined {
  const items = setItems(bytes, from, to, updating.items);
  if (items === undefined) return undefined;
  const textAt = (span: Span) =>
    decoder.decode(bytes.slice(span.from, span.to));
  const edits = setEdits(items, columns, (place) => value(0, place), textAt);
  return spliced(bytes, from, to, edits);
}

/** Puts values in the place of those of SET, in the order of the text. */
export function setEdits(
  items: readonly Span[],
  columns: readonly GivenColumn[],
  value: (place: number) => string | undefined,
  textAt: (span: Span) => string,
): readonly Edit[] {
  const edits = columns.map((column, place) => {
    const span = items[column.item as number] as Span; // it has one
    const written = value(place);
    const typed = written && `${written}::${column.type}`;
    return { ...span, text: expressionOf(column, typed, textAt(span)) };
  });
  return edits.toSorted((a, b) => a.from - b.from);
}

/** Where the values of SET stand. */
function setItems(
  bytes: Uint8Array,
  from: number,
  to: number,
  count: number,
): readonly Span[] | undefined {
  const cursor = new TextCursor(bytes, from, to);
  if (!cursor.take("update")) return undefined;
  cursor.take("only");
  if (!cursor.name()) return undefined;
  cursor.take("*");
  if (cursor.take("as") && !cursor.name()) return undefined;
  // An alias without AS.
  if (!cursor.is("set") && !cursor.name()) return undefined;
  return assignments(cursor, count);
}

/** Where the values of the SET that comes next stand; undefined: none does, or it is not as expected. */
export function assignments(
  cursor: TextCursor,
  count: number,
): readonly Span[] | undefined {
  if (!cursor.take("set")) return undefined;
  const items: Span[] = [];
  do {
    if (!cursor.name() || !cursor.take("=")) return undefined;
    const span = cursor.until((text) => ENDS.has(text));
    if (span === undefined) return undefined;
    items.push(span);
  } while (cursor.take(","));
  return items.length === count ? items : undefined;
}

const ENDS: ReadonlySet<string> = new Set([
  ",",
  "from",
  "where",
  "returning",
  ";",
]);

/** Whether a written text is the client's, but for the values of these columns, in which the client's stand. */
export function isUpdateProved(
  before: Uint8Array,
  after: Uint8Array,
  { columns }: GivenColumns,
): boolean {
  try {
    const [old, written] = [before, after].map((text) =>
      updateOf(decoder.decode(text.slice()))
    );
    if (old === undefined || written === undefined) return false;
    return text(old) === text(withoutSets(written, old, columns));
  } catch {
    // The text does not parse.
    return false;
  }
}

function updateOf(sql: string): Tree | undefined {
  const { stmts = [] } = parseSync(sql) as { stmts?: { stmt: Tree }[] };
  const [only] = stmts;
  return stmts.length === 1
    ? only?.stmt.UpdateStmt as Tree | undefined
    : undefined;
}
