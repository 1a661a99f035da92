export { Catalog } from "./catalog.ts";
export { CATALOG_QUESTION } from "./question.ts";
