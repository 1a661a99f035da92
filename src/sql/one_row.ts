import { isAggregate } from "./aggregates.ts";
import { lastName, list, type Node, unwrap } from "./tree.ts";

/** Functions that give one value, as many do: those that are seen most. */
const SCALAR: ReadonlySet<string> = new Set([
  "abs",
  "array_to_json",
  "array_to_string",
  "cardinality",
  "ceil",
  "ceiling",
  "concat",
  "date_part",
  "date_trunc",
  "extract",
  "floor",
  "json_build_object",
  "jsonb_build_object",
  "length",
  "lower",
  "now",
  "round",
  "row_to_json",
  "to_char",
  "to_json",
  "to_jsonb",
  "trunc",
  "upper",
]);

/** Whether a function is known to give one value, and to be no aggregate. */
export function isScalar(name: string): boolean {
  return SCALAR.has(name);
}

/**
 * Whether a SELECT gives one row, whatever its tables hold: it has none, or
 * aggregates all of them. One row, or HAVING's none, leaves a LIMIT no choice.
 */
export function givesOneRow(select: Node): boolean {
  if (select.targetList === undefined || select.groupClause !== undefined) {
    return false;
  }
  const found = { aggregates: false, sets: false };
  const visit = (tree: unknown) => {
    if (typeof tree !== "object" || tree === null) return;
    const [type, node] = unwrap(tree);
    // What an inner query gives is one value.
    if (type === "SubLink") return;
    if (type === "FuncCall") {
      const [schema] = list(node.funcname).slice(0, -1);
      const isBuiltIn = schema === undefined ||
        lastName([schema]) === "pg_catalog";
      // One of the user's own may give several rows.
      const name = isBuiltIn ? lastName(node.funcname) : "";
      if (isAggregate(name)) {
        if (node.over === undefined) found.aggregates = true;
        // Within it no function gives several rows.
        return;
      }
      if (!SCALAR.has(name)) found.sets = true;
    }
    for (const child of Object.values(tree)) visit(child);
  };
  visit(list(select.targetList));
  return !found.sets &&
    (found.aggregates || select.fromClause === undefined);
}
