import type { CopyFormat, Shape } from "../sql/shape.ts";
import { type Answer, readAnswer } from "./answer.ts";
import type { Cell } from "./difference.ts";

const TAB = 0x09;
const NEWLINE = 0x0a;
const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const LETTER_N = 0x4e;

/** The messages of one statement, with the values of a COPY's rows told apart as far as its form is known. */
export function readRows(bytes: Uint8Array, { copy }: Shape): Answer {
  const answer = readAnswer(bytes);
  return copy === undefined || answer.hasCells
    ? answer
    : splitCopy(answer, copy);
}

/**
 * The rows of a COPY with their values told apart, as those of a SELECT are.
 * Each CopyData message of PostgreSQL holds one row.
 */
export function splitCopy(answer: Answer, format: CopyFormat): Answer {
  // A tuple in binary is what a DataRow is, and the end is none (manual, COPY, "Binary Format").
  if (format === "binary") {
    const rows = answer.rows.filter((row) => !isEnd(row));
    return { ...answer, rows, hasCells: true };
  }
  const split = format === "csv" ? csvCells : textCells;
  const rows = answer.rows.map((row) => dataRow(split(withoutNewline(row))));
  return { ...answer, rows, hasCells: true };
}

/** A tuple of -1 fields. */
function isEnd(row: Uint8Array): boolean {
  return row.length === 2 && row[0] === 0xff && row[1] === 0xff;
}

function withoutNewline(row: Uint8Array): Uint8Array {
  return row.at(-1) === NEWLINE ? row.subarray(0, -1) : row;
}

/** A tab in a value is escaped, and NULL is `\N`. */
function textCells(row: Uint8Array): Cell[] {
  const cells: Cell[] = [];
  for (let from = 0; from <= row.length;) {
    const end = row.indexOf(TAB, from);
    const to = end < 0 ? row.length : end;
    const cell = row.subarray(from, to);
    const isNull = cell.length === 2 && cell[0] === BACKSLASH &&
      cell[1] === LETTER_N;
    cells.push(isNull ? undefined : cell);
    from = to + 1;
  }
  return cells;
}

/** NULL is nothing, and an empty text has quotes. They stay where they are: both sides have them. */
function csvCells(row: Uint8Array): Cell[] {
  const cells: Cell[] = [];
  let from = 0;
  let quoted = false;
  for (let at = 0; at <= row.length; at++) {
    if (row[at] === QUOTE) quoted = !quoted;
    if (at < row.length && (quoted || row[at] !== COMMA)) continue;
    cells.push(at === from ? undefined : row.subarray(from, at));
    from = at + 1;
  }
  return cells;
}

/** A DataRow's body. */
function dataRow(cells: readonly Cell[]): Uint8Array {
  const length = cells.reduce((sum, cell) => sum + 4 + (cell?.length ?? 0), 2);
  const row = new Uint8Array(length);
  const view = new DataView(row.buffer);
  view.setInt16(0, cells.length);
  let at = 2;
  for (const cell of cells) {
    view.setInt32(at, cell === undefined ? -1 : cell.length);
    at += 4;
    if (cell === undefined) continue;
    row.set(cell, at);
    at += cell.length;
  }
  return row;
}
