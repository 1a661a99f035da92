import type { Catalog } from "../catalog/mod.ts";
import type { Updating } from "../sql/mod.ts";
import { type GivenColumns, loggedColumns } from "./given_columns.ts";

/**
 * The columns of an UPDATE that the mirror may be given, by the primary's log
 * alone.
 *
 * @returns undefined if there are none.
 */
export function updatedColumns(
  { relation, sets }: Updating,
  catalog: Catalog,
): GivenColumns | undefined {
  const [oid, ...others] = catalog.oids(relation);
  if (oid === undefined || others.length > 0) return undefined;
  const all = catalog.columnsOf(oid) ?? [];
  const columns = loggedColumns(sets, oid, all, catalog);
  return columns.length === 0 ? undefined : {
    oid,
    relation,
    columns,
    outputs: 0,
    positional: [],
    types: new Map(),
    updates: [],
    pairs: [],
  };
}
