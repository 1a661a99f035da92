import { lastName, list, type Node, unwrap } from "./tree.ts";

/** The conditions of a WHERE that must all hold. */
export function conjuncts(condition: unknown): readonly unknown[] {
  const [type, { boolop, args }] = unwrap(condition);
  return type === "BoolExpr" && boolop === "AND_EXPR"
    ? list(args).flatMap(conjuncts)
    : condition === undefined
    ? []
    : [condition];
}

/** Whether an operator's name is `=`, without a schema. */
export function isEqual(name: unknown): boolean {
  return list(name).length === 1 && lastName(name) === "=";
}

/** Columns of the relation that is called `own` of which a condition says the value, or a list of them: `a = $1`, IN, `= ANY`. */
export function heldColumns(
  condition: unknown,
  own: string,
): readonly string[] {
  return conjuncts(condition).flatMap((part) => {
    const [type, { name, lexpr, rexpr }] = unwrap(part);
    if (type !== "A_Expr" || !isEqual(name)) return [];
    return [[lexpr, rexpr], [rexpr, lexpr]].flatMap(([column, value]) => {
      const [kind, { fields }] = unwrap(column);
      const parts = list(fields);
      const isOwn = parts.length === 1 ||
        lastName(parts.slice(-2, -1)) === own;
      return kind === "ColumnRef" && isOwn && !readsRows(value)
        ? [lastName(parts)]
        : [];
    });
  });
}

/** Whether a column or a query stands within. */
function readsRows(tree: unknown): boolean {
  if (typeof tree !== "object" || tree === null) return false;
  return Object.entries(tree as Node).some(([type, node]) =>
    type === "ColumnRef" || type === "SubLink" || readsRows(node)
  );
}
