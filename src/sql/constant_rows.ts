import { lastName, list, type Node, unwrap } from "./tree.ts";

/** Functions that give their rows in one order, whichever server they run on. */
const ROW_FUNCTIONS: ReadonlySet<string> = new Set([
  "unnest",
  "generate_series",
  "json_array_elements",
  "json_array_elements_text",
  "json_populate_recordset",
  "json_to_recordset",
  "jsonb_array_elements",
  "jsonb_array_elements_text",
  "jsonb_populate_recordset",
  "jsonb_to_recordset",
  "regexp_split_to_table",
  "string_to_table",
]);
/** Of one row, and of nothing but their arguments. */
const PLAIN_FUNCTIONS: ReadonlySet<string> = new Set([
  "abs",
  "btrim",
  "concat",
  "jsonb_build_object",
  "left",
  "length",
  "lower",
  "md5",
  "now",
  "replace",
  "round",
  "to_json",
  "to_jsonb",
  "to_timestamp",
  "upper",
]);
/** What only a query of tables, or one whose rows are put together, has. */
const OTHER_CLAUSES = [
  "withClause",
  "distinctClause",
  "groupClause",
  "havingClause",
  "windowClause",
  "lockingClause",
  "limitOffset",
  "limitCount",
  "whereClause",
];

/**
 * How many columns a query has that makes its rows of literals and parameters:
 * they come in the same order on each server, as `SELECT … FROM (VALUES …)` and
 * `SELECT * FROM unnest(…)` do.
 *
 * @returns undefined for any other query, and where a subquery around it would
 *   change a type: one of `SELECT 'a'` is of text.
 */
export function constantColumns(selectStmt: unknown): number | undefined {
  const [type, select] = unwrap(selectStmt);
  if (type !== "SelectStmt" || select.op !== "SETOP_NONE") return undefined;
  if (OTHER_CLAUSES.some((clause) => select[clause] !== undefined)) {
    return undefined;
  }
  const targets = list(select.targetList).map(({ ResTarget }) =>
    (ResTarget as Node).val
  );
  const [from, ...others] = list(select.fromClause);
  if (targets.length === 0 || others.length > 0) return undefined;
  if (!isConstant(from) || !isConstant(targets)) return undefined;
  if (!isInOrder(list(select.sortClause), from)) return undefined;
  const [only] = targets;
  if (targets.length === 1 && isStar(only)) return columnsOf(from);
  return targets.some((target) => isStar(target) || isUntyped(target))
    ? undefined
    : targets.length;
}

/** Whether rows are sorted by nothing, or by a column of VALUES that has another number in each: equal ones, and texts, are not sorted alike by each server. */
function isInOrder(sortClause: readonly Node[], from: unknown): boolean {
  const [first, ...others] = sortClause;
  if (first === undefined) return true;
  const [type, key] = unwrap(unwrap(first)[1].node);
  const { subquery, alias } = unwrap(from)[1];
  if (others.length > 0 || type !== "ColumnRef") return false;
  const names = list((alias as Node | undefined)?.colnames);
  const place = names.findIndex((name) =>
    lastName([name]) === lastName(key.fields)
  );
  const rows = list(unwrap(subquery)[1].valuesLists);
  const numbers = rows.flatMap((row) => {
    const [, { ival }] = unwrap(list(unwrap(row)[1].items)[place]);
    // Of 0 the tree has an empty node.
    return ival === undefined ? [] : [(ival as Node).ival ?? 0];
  });
  return rows.length > 0 && numbers.length === rows.length &&
    new Set(numbers).size === rows.length;
}

/** Columns of what FROM names. */
function columnsOf(from: unknown): number | undefined {
  const [type, item] = unwrap(from);
  if (type === "RangeSubselect") {
    const [row] = list(unwrap(item.subquery)[1].valuesLists);
    return row === undefined ? undefined : list(unwrap(row)[1].items).length;
  }
  if (type !== "RangeFunction" || item.ordinality === true) return undefined;
  const [first, ...others] = list(item.functions);
  const call = list(unwrap(first)[1].items)[0];
  const [, { funcname, args }] = unwrap(call);
  return others.length === 0 && lastName(funcname) === "unnest"
    ? list(args).length
    : undefined;
}

function isStar(target: unknown): boolean {
  const [type, { fields }] = unwrap(target);
  return type === "ColumnRef" && unwrap(list(fields).at(-1))[0] === "A_Star";
}

/** Within a subquery its type is text, whatever column it goes into. */
function isUntyped(target: unknown): boolean {
  return ["A_Const", "ParamRef", "SetToDefault"].includes(unwrap(target)[0]);
}

/** Whether an expression, or a FROM, reads nothing and calls what is known only. */
function isConstant(node: unknown): boolean {
  if (typeof node !== "object" || node === null) return true;
  if (Array.isArray(node)) return node.every(isConstant);
  return Object.entries(node).every(([type, inner]) => {
    if (type === "RangeVar" || type === "SubLink") return false;
    if (type === "RangeSubselect") {
      const { valuesLists } = unwrap((inner as Node).subquery)[1];
      return valuesLists !== undefined && isConstant(valuesLists);
    }
    if (type === "FuncCall") {
      const name = lastName((inner as Node).funcname);
      if (!ROW_FUNCTIONS.has(name) && !PLAIN_FUNCTIONS.has(name)) return false;
    }
    return isConstant(inner);
  });
}
