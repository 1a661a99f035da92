import { literalOf } from "./value_text.ts";
import {
  type CorrectedColumn,
  type CorrectedRelation,
  isPlainName,
} from "./corrected_relation.ts";
import type { LoggedRow, LoggedRows } from "./logged_rows.ts";
import { MADE_FROM } from "./made_numbers.ts";
import { quoted } from "./texts.ts";

/**
 * How far a sequence of the mirror runs ahead of the primary's. A number that
 * the mirror draws, and that is corrected before it is committed, then meets no
 * row that has the primary's.
 */
export const AHEAD = 1_048_576;
/** So far ahead of its own a number must be that a row is given another one for. */
const LEAST_AHEAD = AHEAD / 4;
/** The newest rows of a relation among which a transaction's own are looked for: those of others are between them. */
const MAX_LOOK_BACK = 1_000;
/** Rows of one relation that are corrected behind one transaction. */
const MAX_CORRECTED_ROWS = 500;
/** For the clocks, either way. */
const SLACK_US = 60_000_000;

/** Rows that the primary's log has of one relation. */
export interface LoggedRelation {
  /** Its schema and its name. */
  readonly name: readonly [schema: string, name: string];
  readonly rows: LoggedRows;
}

/**
 * Brings the mirror's sequence so far ahead of a number of the primary's that
 * both do not meet. One that is behind the rows of its relation stays there:
 * INSERTs fail by that.
 */
export function aheadText(
  { sequence, columns }: CorrectedRelation,
  { name }: LoggedRelation,
  number: bigint,
): string {
  const { name: own = "", type = "" } =
    columns.find(({ nature }) => nature === "key") ?? {};
  const key = quoted(own);
  const made = MADE_FROM.get(type);
  const isDrawn = made === undefined ? "" : ` WHERE t.${key} < ${made}`;
  return block(`
  PERFORM pg_catalog.setval(${sequence}, ${number + BigInt(AHEAD)})
    FROM pg_catalog.pg_sequence s
    WHERE s.seqrelid = ${sequence} AND s.seqincrement > 0 AND s.seqcache = 1
      AND coalesce(pg_catalog.pg_sequence_last_value(s.seqrelid), s.seqstart - 1)
        BETWEEN coalesce((SELECT max(t.${key}) FROM ${
    sqlName(name)
  } t${isDrawn}), s.seqstart - 1)
        AND ${number + BigInt(AHEAD)};`);
}

/**
 * Gives the rows that the open transaction has inserted by itself the values
 * that the primary's log has. A row is paired with one of the log that is equal
 * in all that chance does not decide; what has no pair stays as it is. So does
 * all where a trigger or a rule would see it.
 *
 * @param lagUs how much later the mirror does what the primary has done.
 * @returns undefined if the rows can't be held against the mirror's.
 */
export function correctionText(
  { sequence, columns }: CorrectedRelation,
  { name, rows }: LoggedRelation,
  lagUs: number,
): string | undefined {
  const [first] = rows;
  if (first === undefined || rows.length > MAX_CORRECTED_ROWS) return undefined;
  if (!name.every(isPlainName)) return undefined;
  const known = columns.filter(({ name }) => first.has(name));
  const isWhole = first.size === known.length &&
    columns.every((column) =>
      column.nature === "same" || first.has(column.name)
    ) &&
    rows.every((row) => row !== undefined && row.size === first.size);
  if (!isWhole) return undefined;
  const same = known.flatMap(({ nature }, i) =>
    nature === "same" ? [`c${i}`] : []
  );
  const key = known.findIndex(({ nature }) => nature === "key");
  const [keyColumn] = known.slice(key).map((column) => quoted(column.name));
  const numbered = (by: string) =>
    `row_number() OVER (${
      same.length === 0 ? "" : `PARTITION BY ${same.join(", ")} `
    }ORDER BY ${by}) AS n`;
  const values = rows.map((row, i) =>
    `(${[i, ...known.map((column) => textOf(row, column))].join(", ")})`
  );
  const names = known.map((_, i) => `c${i}`).join(", ");
  const pairs = same.map((c) => ` AND l.${c} IS NOT DISTINCT FROM m.${c}`);
  const times = known.flatMap(({ nature }, i) =>
    nature === "time"
      ? [
        ` AND m.c${i} - l.c${i} BETWEEN ${interval(-SLACK_US)} AND ${
          interval(lagUs + SLACK_US)
        }`,
      ]
      : []
  );
  const sets = known.flatMap(({ name, nature }, i) =>
    nature === "same" ? [] : [`${quoted(name)} = l.c${i}`]
  );
  return block(`
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t
    WHERE t.tgrelid = ${regclass(name)} AND NOT t.tgisinternal
      AND t.tgenabled <> 'D' AND t.tgtype & 16 <> 0)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_rewrite w
    WHERE w.ev_class = ${regclass(name)} AND w.ev_type = '2') THEN
  WITH logged AS (
    SELECT ${known.map((column, i) => itemOf(column, `v.c${i}`, i)).join(", ")},
      v.place FROM (VALUES ${values.join(", ")}) v (place, ${names})),
  paired AS (SELECT *, ${numbered("place")} FROM logged),
  own AS (SELECT ${
    known.map((column, i) => itemOf(column, `t.${quoted(column.name)}`, i))
      .join(", ")
  } FROM (
      SELECT t.*, t.xmin::text::int8 AS pgdog_xmin FROM ONLY ${sqlName(name)} t
      WHERE t.${keyColumn} <= (SELECT pg_catalog.currval(${sequence}))
      ORDER BY t.${keyColumn} DESC LIMIT ${MAX_LOOK_BACK}) t
    WHERE CASE WHEN (t.pgdog_xmin - ${TOP}) & ${XIDS} <= ${XIDS} / 2
      THEN pg_catalog.pg_xact_status((${TOP}
        + ((t.pgdog_xmin - ${TOP}) & ${XIDS}))::text::xid8) = 'in progress' END
    ORDER BY t.${keyColumn} DESC LIMIT ${rows.length}),
  mine AS (SELECT *, ${numbered(`c${key}`)} FROM own)
  UPDATE ONLY ${sqlName(name)} t SET ${sets.join(", ")}
    FROM mine m JOIN paired l ON l.n = m.n${pairs.join("")}
    WHERE t.${keyColumn} = m.c${key}
      AND (m.c${key} = l.c${key} OR m.c${key} - ${LEAST_AHEAD} > l.c${key})${
    times.join("")
  };
  SET CONSTRAINTS ALL IMMEDIATE;
  END IF;`);
}

/** Transactions are numbered in 32 bits. */
const XIDS = 4_294_967_295;
/** The open transaction's own number, with its epoch. */
const TOP = "(SELECT pg_catalog.pg_current_xact_id()::text::int8)";

/** A block that can't fail, nor wait for long: what it does is undone instead. */
function block(statements: string): string {
  return `DO $pgdog$ DECLARE pgdog_waits text := pg_catalog.current_setting('lock_timeout');
BEGIN
  PERFORM pg_catalog.set_config('lock_timeout', '1s', true);${statements}
  PERFORM pg_catalog.set_config('lock_timeout', pgdog_waits, true);
EXCEPTION WHEN query_canceled OR OTHERS THEN NULL;
END $pgdog$`;
}

/** A column, or a value of the log: what pairs are told by as text, so that each type can be compared. */
function itemOf(
  { type, nature }: CorrectedColumn,
  item: string,
  place: number,
) {
  const typed = `(${item})::${type}`;
  return nature === "same"
    ? `(${typed})::text COLLATE "C" AS c${place}`
    : `${typed} AS c${place}`;
}

function textOf(row: LoggedRow | undefined, { name }: CorrectedColumn): string {
  const value = row?.get(name);
  if (typeof value !== "string") return "NULL::text";
  // In which encoding the client writes is not known here; `$` would end the block.
  const text = literalOf(value).replaceAll("$", "\\x24").replaceAll(
    // deno-lint-ignore no-control-regex
    /[^\x00-\x7f]/gu,
    (char) => `\\U${char.codePointAt(0)?.toString(16).padStart(8, "0")}`,
  );
  return `${text}::text`;
}

function interval(us: number): string {
  return `interval '${Math.round(us)} microseconds'`;
}

function sqlName([schema, name]: LoggedRelation["name"]): string {
  return `${quoted(schema)}.${quoted(name)}`;
}

function regclass(name: LoggedRelation["name"]): string {
  return `${literalOf(sqlName(name))}::pg_catalog.regclass`;
}
