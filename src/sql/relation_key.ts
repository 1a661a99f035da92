import type { Node } from "./tree.ts";

/** No name has one. */
const SEPARATOR = "\0";

/** A relation as a statement names it: the name alone, or with its schema. */
export function relationKey(schema: string | undefined, name: string): string {
  return schema === undefined ? name : `${schema}${SEPARATOR}${name}`;
}

/** The key of a RangeVar. */
export function keyOfRelation({ schemaname, relname }: Node): string {
  return relationKey(schemaname as string | undefined, String(relname));
}
