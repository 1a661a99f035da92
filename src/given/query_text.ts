import type { Insertion } from "../sql/mod.ts";
import type { GivenColumns } from "./given_columns.ts";
import { expressionOf, ROWS, type WriteValue } from "./value_text.ts";
import { pairText } from "./row_pairs.ts";

/** The rows that the primary has, as the written text names them. */
const LOG = "pgdog_log";
const KEY = "pgdog_key";
const NUMBER = "pgdog_number";

/** What stands before a client's query, and what behind it. */
export interface Wrapping {
  readonly before: string;
  readonly behind: string;
}

/**
 * Puts the query of an INSERT into another one, which gives each of its rows the
 * values of the primary's row: that which is equal in the columns of `pairs`,
 * of several in their order.
 *
 * ```
 * SELECT q.c0, CASE … l.g0 … END FROM
 *   (SELECT q.*, key, number within key FROM (the client's query) q (c0)) q
 *   LEFT JOIN (SELECT *, key, number within key
 *     FROM unnest(values, pairs) WITH ORDINALITY l (g0, k0, o)) l
 *   USING (key, number)
 * ```
 *
 * @param value for each given column an array, and behind them one of texts for each pair.
 * @returns undefined without any, or if a column's type has no name.
 */
export function wrapping(
  { columns: named, outputs }: Insertion,
  { columns, pairs, types }: GivenColumns,
  value: WriteValue,
): Wrapping | undefined {
  const own = named.map((name, place) => {
    const cell = `"${ROWS}"."c${place}"`;
    if (!outputs?.untyped.includes(place)) return cell;
    // In a query of its own it is of text.
    const type = types.get(name);
    return type && `(${cell})::${type.text}`;
  });
  if (own.includes(undefined)) return undefined;
  const given = columns.map((column, i) => {
    const isWritten = value(0, i) !== undefined;
    const typed = isWritten ? `"${LOG}"."g${i}"` : undefined;
    return expressionOf(column, typed, own[column.item ?? -1]);
  });
  const items = own.map((item, place) => {
    const replaced = columns.findIndex(({ item }) => item === place);
    return replaced < 0 ? item : given[replaced];
  });
  const added = given.filter((_, i) => columns[i]?.item === undefined);
  const known = pairs.map((_, i) => value(0, columns.length + i));
  const [first] = known;
  const keyOf = (cells: readonly string[]) =>
    first === undefined
      ? "''::text"
      : `CASE WHEN ${isKnown(first)} THEN ROW(${
        cells.join(", ")
      })::text ELSE '' END`;
  const key = keyOf(
    pairs.map((pair) => pairText(own[pair.place] as string, pair)),
  );
  const logKey = keyOf(pairs.map((_, i) => `"${LOG}"."k${i}"`));
  const arrays = [
    ...columns.flatMap(({ type }, i) => {
      const written = value(0, i);
      return written === undefined
        ? []
        : [{ text: `${written}::${type}[]`, name: `g${i}` }];
    }),
    ...known.flatMap((written, i) =>
      written === undefined
        ? []
        : [{ text: `${written}::text[]`, name: `k${i}` }]
    ),
  ];
  if (arrays.length === 0) return undefined;
  const outs = named.map((_, place) => `"c${place}"`).join(", ");
  return {
    before: `SELECT ${
      [...items, ...added].join(", ")
    } FROM (SELECT *, ${key} AS "${KEY}", row_number() OVER (PARTITION BY ${key}) AS "${NUMBER}" FROM (`,
    behind:
      `) "${ROWS}" (${outs})) "${ROWS}" LEFT JOIN (SELECT *, ${logKey} AS "${KEY}", row_number() OVER (PARTITION BY ${logKey} ORDER BY "o") AS "${NUMBER}" FROM unnest(${
        arrays.map(({ text }) => text).join(", ")
      }) WITH ORDINALITY "${LOG}" (${
        arrays.map(({ name }) => `"${name}"`).join(", ")
      }, "o")) "${LOG}" USING ("${KEY}", "${NUMBER}")`,
  };
}

/** Whether the log's rows are known: of a parameter that is to be seen. */
function isKnown(written: string): string {
  return written.startsWith("$") ? `${written}::text[] IS NOT NULL` : "true";
}
