import { type AddedParameter, type Bind, isBinaryOutput } from "./bind.ts";
import type { GivenColumn } from "./given_columns.ts";
import { binaryArray, textArray } from "./key_arrays.ts";
import {
  commonRow,
  LEFT_OUT,
  type LoggedRows,
  loggedValue,
} from "./logged_rows.ts";
import type { PreparedInsert } from "./prepared_inserts.ts";
import { isReadable } from "./texts.ts";
import type { ToldRow } from "./told_rows.ts";

/** What is known of a statement's rows: by its answer, and by the log. */
export interface KnownRows {
  readonly rows?: readonly ToldRow[] | undefined;
  readonly inLog?: LoggedRows | undefined;
}

export const NOTHING: KnownRows = {};

/** A column's value in a row, or in all rows of a query. */
export function parameterOf(
  { insertion }: PreparedInsert,
  column: GivenColumn,
  row: number,
  { rows, inLog }: KnownRows,
  bind: Bind | undefined,
): AddedParameter & {
  /** The mirror gets another value than the primary. */
  readonly isOwn: boolean;
} {
  const isQuery = insertion !== undefined && insertion.rows === undefined;
  const known = isQuery
    ? arrayOf(column, rows?.map((one) => valueOf(column, one, bind)))
    : valueOf(column, rows?.[row], bind);
  const parameter = known ??
    (isQuery
      ? arrayOf(column, inLog?.map((one) => loggedValue(column, one)))
      : loggedValue(column, inLog?.[row])) ??
    NULL;
  // A row that is not written has no value.
  const isLeftOut = known === undefined && inLog?.[row] === LEFT_OUT;
  const isOwn = parameter.value === undefined && !isLeftOut ||
    known === undefined && inLog?.areMade === true;
  return { ...parameter, isOwn };
}

/** What ON CONFLICT sets, if all rows have it: which of them were there is not told. */
export function updateOf(
  column: GivenColumn,
  { rows, inLog }: KnownRows,
  bind: Bind | undefined,
): AddedParameter {
  const isLogged = inLog !== undefined && inLog.areMade !== true;
  return valueOf(column, rows?.[0], bind) ??
    loggedValue(column, isLogged ? commonRow(inLog) : undefined);
}

const NULL: AddedParameter = { value: undefined, isBinary: false };

/** Undefined: RETURNING does not tell it. */
export function valueOf(
  { type, output }: GivenColumn,
  row: ToldRow | undefined,
  bind: Bind | undefined,
): AddedParameter | undefined {
  if (output === "log" || row === undefined) return undefined;
  const place = output >= 0 ? output : row.length + output;
  const value = row[place];
  if (value === undefined) return undefined;
  const isBinary = bind !== undefined && isBinaryOutput(bind, place);
  return isBinary || isReadable(value, type) ? { value, isBinary } : undefined;
}

/** The values of all rows as one; undefined: there are none, one is NULL, or can't be read back. */
function arrayOf(
  column: GivenColumn,
  all: readonly (AddedParameter | undefined)[] = [],
): AddedParameter | undefined {
  const isBinary = all[0]?.isBinary ?? false;
  const values = all.flatMap((one) => one?.value ?? []);
  if (all.length === 0 || values.length < all.length) return undefined;
  const value = isBinary
    ? binaryArray(values, column.typeOid)
    : textArray(values, column.type);
  return value && { value, isBinary };
}
