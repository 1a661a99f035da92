export type { Fresh } from "./unsafe_reach.ts";
export type { KeyWrite } from "./cascades.ts";
export { Catalog } from "./catalog.ts";
export { CollationPair } from "./collation_pair.ts";
export { COLLATIONS_QUESTION } from "./collations_question.ts";
export type { CatalogColumn, ColumnDefault } from "./columns.ts";
export { CATALOG_QUESTION, TYPES_QUESTION } from "./question.ts";
export type { RowChanges } from "./trigger_changes.ts";
export { FIRST_OWN_OID, TypePair } from "./type_pair.ts";
