import type { Insertion } from "../sql/mod.ts";
import type { GivenColumn, GivenColumns } from "./given_columns.ts";
import type { InsertPlaces, Span } from "./insert_places.ts";
import { wrapping } from "./query_text.ts";
import { expressionOf, ROWS, type WriteValue } from "./value_text.ts";
import { TextCursor } from "./text_cursor.ts";
import { type Edit, quoted, spliced } from "./texts.ts";
import { assignments, setEdits } from "./updated_text.ts";

const decoder = new TextDecoder();

/**
 * Writes an INSERT's text so that its rows take the given values.
 *
 * @param bytes SQL text in `bytes[from, to)`.
 * @returns undefined if it can't be.
 */
export function givenText(
  bytes: Uint8Array,
  from: number,
  to: number,
  insertion: Insertion,
  places: InsertPlaces,
  given: GivenColumns,
  value: WriteValue,
): Uint8Array<ArrayBuffer> | undefined {
  const textAt = (span: Span) =>
    decoder.decode(bytes.slice(span.from, span.to));
  const edits = editsOf(insertion, places, given, value, textAt);
  const items = given.updates.length === 0
    ? []
    : conflictItems(bytes, places.behindRows, to, insertion);
  if (edits === undefined || items === undefined) return undefined;
  // Their values come behind those of all rows.
  const row = (insertion.rows ?? 1) - 1;
  const first = given.columns.length + given.pairs.length;
  const sets = setEdits(
    items,
    given.updates,
    (place) => value(row, first + place),
    textAt,
  );
  return spliced(bytes, from, to, [...edits, ...sets]);
}

/** Where the values of ON CONFLICT's SET stand. */
function conflictItems(
  bytes: Uint8Array,
  from: number,
  to: number,
  { updating }: Insertion,
): readonly Span[] | undefined {
  const cursor = new TextCursor(bytes, from, to);
  if (updating === undefined || !cursor.take("on")) return undefined;
  if (cursor.until((text) => text === "do") === undefined) return undefined;
  const isUpdate = cursor.take("do") && cursor.take("update");
  return isUpdate ? assignments(cursor, updating.items) : undefined;
}

/** In the order of the text. */
function editsOf(
  insertion: Insertion,
  { behindRelation, behindColumns, values, rows }: InsertPlaces,
  given: GivenColumns,
  value: WriteValue,
  textAt: (span: Span) => string,
): readonly Edit[] | undefined {
  const { source, overriding } = insertion;
  const { columns, positional } = given;
  const added = columns.filter(({ item }) => item === undefined);
  const names = added.map(({ name }) => quoted(name));
  const edits: Edit[] = [];
  const insert = (at: number, text: string, to = at) =>
    void edits.push({ from: at, to, text });
  if (behindColumns !== undefined) {
    if (names.length > 0) insert(behindColumns, `, ${names.join(", ")}`);
  } else {
    const list = [...positional.map(quoted), ...names];
    insert(behindRelation, ` (${list.join(", ")})`);
  }
  const needsOverriding = overriding === undefined &&
    columns.some(({ isAlways }) => isAlways);
  const clause = needsOverriding ? "OVERRIDING SYSTEM VALUE " : "";
  const expressionAt = (row: number, column: GivenColumn, text?: string) => {
    const written = value(row, columns.indexOf(column));
    const typed = written === undefined
      ? undefined
      : source === "constants"
      ? `(${written}::${column.type}[])[row_number() OVER ()]`
      : `${written}::${column.type}`;
    return expressionOf(column, typed, text);
  };
  if (source === "defaults") {
    const row = added.map((column) => expressionAt(0, column)).join(", ");
    insert(values.from, `${clause}VALUES (${row})`, values.to);
    return edits;
  }
  if (source === "query") {
    const around = wrapping(insertion, given, value);
    if (around === undefined) return undefined;
    insert(values.from, clause + around.before);
    insert(values.to, around.behind);
    return edits;
  }
  if (source === "constants") {
    const row = added.map((column) => `, ${expressionAt(0, column)}`).join("");
    const around = `${clause}SELECT "${ROWS}".*${row} FROM (`;
    insert(values.from, around);
    insert(values.to, `) "${ROWS}"`);
    return edits;
  }
  if (clause !== "") insert(values.from, clause);
  const replaced = columns
    .filter(({ item }) => item !== undefined)
    .toSorted((a, b) => (a.item as number) - (b.item as number)); // they have one
  rows.forEach((spans, row) => {
    for (const column of replaced) {
      const span = spans[column.item as number]!; // a row has them all
      const { from, to } = span;
      insert(from, expressionAt(row, column, textAt(span)), to);
    }
    const end = spans.at(-1)?.to;
    if (end === undefined || added.length === 0) return;
    const more = added.map((column) => `, ${expressionAt(row, column)}`);
    insert(end, more.join(""));
  });
  return edits;
}
