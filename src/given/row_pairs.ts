import type { Catalog, CatalogColumn } from "../catalog/mod.ts";
import type { Insertion } from "../sql/mod.ts";

/** A column by which a row that a query gives on the mirror is paired with a row that the log has. */
export interface PairColumn {
  readonly name: string;
  /** Its place among the query's outputs. */
  readonly place: number;
  /** The type as SQL names it. */
  readonly type: string;
}

/** Types whose values have one text each, whatever a column's modifier or a session's settings make of others. */
const EXACT = /^"pg_catalog"\."(?:bool|int2|int4|int8|uuid|text|varchar)"$/;
/** Those that are compared by their MD5. */
export const TEXT = /^"pg_catalog"\."(?:text|varchar)"$/;

/**
 * The columns that an INSERT's query fills with what no chance decides.
 *
 * @param changes the columns that triggers set.
 */
export function pairColumns(
  { columns: named, outputs }: Insertion,
  all: readonly CatalogColumn[],
  catalog: Catalog,
  changes: ReadonlyMap<string, unknown> | undefined,
): readonly PairColumn[] {
  return named.flatMap((name, place) => {
    const column = all.find((one) => one.name === name);
    const type = column && catalog.typeText(column.typeOid);
    const isSure = type !== undefined && EXACT.test(type) &&
      !changes?.has(name) && !outputs?.unsure.includes(place);
    return isSure ? [{ name, place, type }] : [];
  });
}

/** A value of the mirror as the log's is sent, in SQL: texts by their MD5, so that they need no encoding. */
export function pairText(value: string, { type }: PairColumn): string {
  const text = `((${value})::${type})::text`;
  return TEXT.test(type)
    ? `pg_catalog.md5(pg_catalog.convert_to(${text}, 'UTF8'))`
    : text;
}
