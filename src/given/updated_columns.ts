import type { Catalog } from "../catalog/mod.ts";
import type { Updating } from "../sql/mod.ts";
import type { GivenColumn, GivenColumns } from "./given_columns.ts";

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
  const changes = catalog.changedByTrigger(oid);
  if (changes === "all" || catalog.isUnlogged(oid)) return undefined;
  const all = catalog.columnsOf(oid) ?? [];
  const columns = sets.flatMap(
    ({ column, item, isSequence }): GivenColumn[] => {
      const known = all.find(({ name }) => name === column);
      const type = known && catalog.typeText(known.typeOid);
      if (type === undefined || changes?.has(column)) return [];
      return [{
        name: column,
        type,
        typeOid: catalog.baseType(known?.typeOid ?? 0),
        expression: undefined,
        nature: isSequence ? "sequence" : "chance",
        item,
        output: "log",
        isAlways: false,
      }];
    },
  );
  return columns.length === 0 ? undefined : {
    oid,
    relation,
    columns,
    outputs: 0,
    positional: [],
    types: new Map(),
    pairs: [],
  };
}
