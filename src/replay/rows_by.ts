import type { Catalog } from "../catalog/mod.ts";
import type { Shape } from "../sql/shape.ts";

/**
 * How the rows of a statement's only relation are told apart: by the value of
 * one column, the same for all statements of the relation; or they are new ones
 * that nothing keeps apart from others.
 */
export type RowsBy =
  | { readonly relation: string; readonly by: "append" }
  | {
    readonly relation: string;
    readonly by: "column";
    readonly column: string;
    /** The OID of its type. */
    readonly typeOid: number;
  };

/** How a statement's rows are told apart; undefined: they are not. */
export function rowsBy(shape: Shape, catalog: Catalog): RowsBy | undefined {
  const { pinned, insertion, writes, reads, calls } = shape;
  const relation = pinned?.relation ?? writes[0];
  if (relation === undefined || writes.some((name) => name !== relation)) {
    return undefined;
  }
  const [oid, other] = catalog.oids(relation);
  if (oid === undefined || other !== undefined) return undefined;
  if (catalog.isAmbiguous(relation) || !calls.every(catalog.isForeign)) {
    return undefined;
  }
  const isWriter = writes.length > 0;
  // Order tells which row gets which number.
  if (insertion && drawsNumbers(insertion.columns, oid, catalog)) {
    return undefined;
  }
  const uniques = catalog.uniquesOf(oid);
  if (isWriter && catalog.excludesRows(oid)) return undefined;
  if (uniques.length === 0) {
    const isAppend = insertion !== undefined && !reads.includes(relation) &&
      catalog.keepsRows(relation, []);
    return isAppend ? { relation, by: "append" } : undefined;
  }
  const column = columnOf(uniques);
  if (pinned === undefined || column === undefined) return undefined;
  const typeOid = catalog.columnType(relation, column);
  if (typeOid === undefined) return undefined;
  if (!catalog.keepsRows(relation, [column])) return undefined;
  const isApart = !isWriter ||
    uniques.every((unique) =>
      unique.includes(column) ||
      // An UPDATE leaves it as it is.
      pinned.set !== undefined &&
        unique.every((one) => !pinned.set?.includes(one))
    );
  return isApart ? { relation, by: "column", column, typeOid } : undefined;
}

/** The column by which rows of a relation are told apart: one of all its unique keys, if there is one. */
function columnOf(uniques: readonly (readonly string[])[]): string | undefined {
  const [first = []] = uniques;
  return first.find((column) =>
    uniques.every((unique) => unique.includes(column))
  ) ?? first[0];
}

/** Whether columns that an INSERT leaves out, or all, may draw from sequences. */
function drawsNumbers(
  named: readonly string[],
  oid: string,
  catalog: Catalog,
): boolean {
  const columns = catalog.columnsOf(oid);
  return columns === undefined ||
    columns.some((column) =>
      column.default?.nature === "sequence" && !named.includes(column.name)
    );
}
