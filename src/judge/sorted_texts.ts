import type { Catalog } from "../catalog/mod.ts";
import type { Collated } from "../sql/trait.ts";

/**
 * Whether the mirror sorts a text otherwise than the primary. Which collation
 * is a text's (manual, "Collation Support"): one that is named; that of a
 * column, if it is not the database's default; the default.
 */
export function sortsOtherwise(
  catalog: Pick<Catalog, "collations" | "collationOf">,
  { columns, made, named }: Collated,
): boolean {
  const { collations } = catalog;
  if (named !== undefined) return collations.isNamedOtherwise(named);
  const texts = columns.map(({ relation, column }) =>
    catalog.collationOf(relation, column)
  ).filter((text) => text !== undefined);
  const own = texts.filter(({ isDefault }) => !isDefault);
  if (own.length > 0) return own.some(({ isOtherwise }) => isOtherwise);
  const isText = texts.length > 0 || made === "text" ||
    made === "literal" && columns.length === 0;
  return isText && collations.isDefaultOtherwise;
}
