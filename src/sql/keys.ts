import { MAX_TOLD_DIGITS } from "./literal_free_key.ts";
import { keyOfRelation } from "./relation_key.ts";
import type { Only, Shape } from "./shape.ts";
import type { Columns } from "./trait.ts";
import { bare, lastName, list, type Node } from "./tree.ts";

/** Whether a LIMIT or OFFSET may leave out rows that an equal server keeps. WITH TIES leaves none to chance. */
export function isLimited(select: Node): boolean {
  if (select.limitOption === "LIMIT_OPTION_WITH_TIES") return false;
  return [select.limitCount, select.limitOffset].some((bound) =>
    bound !== undefined && (bound as Node).A_Const !== undefined
      ? !((bound as { A_Const: Node }).A_Const.isnull)
      : bound !== undefined
  );
}

/** Whether a node is a SELECT of several joined by UNION, INTERSECT or EXCEPT. */
export function isSetOperation({ limitOption, op }: Node): boolean {
  // SELECT alone has the first, and others have the second.
  return limitOption !== undefined && op !== "SETOP_NONE";
}

/** Whether a query gives one of equal rows. */
export function dropsEqualRows(node: Node): boolean {
  if (node.distinctClause !== undefined) return true;
  return isSetOperation(node) &&
    (node.op !== "SETOP_UNION" || node.all !== true);
}

/** The relation of a SELECT from one, with the columns that its WHERE compares with a constant by `=`. */
export function onlyRelation(select: Node): Only | undefined {
  const [item, more] = (select.fromClause ?? []) as Node[];
  const table = item?.RangeVar as Node | undefined;
  if (table === undefined || more !== undefined || select.withClause) {
    return undefined;
  }
  const pinned: string[] = [];
  pin(select.whereClause as Node | undefined, pinned);
  return { relation: keyOfRelation(table), pinned };
}

/** The only relation of a SELECT, with the columns that `keys` name and those that WHERE pins. */
export function uniqueKeys(
  select: Node,
  keys: readonly unknown[],
): Columns | undefined {
  const only = onlyRelation(select);
  return only === undefined ? undefined : {
    relation: only.relation,
    columns: [...only.pinned, ...keys.map(bare)],
  };
}

function pin(condition: Node | undefined, pinned: string[]): void {
  const { BoolExpr, A_Expr } = (condition ?? {}) as Readonly<
    Record<string, Node | undefined>
  >;
  if (BoolExpr?.boolop === "AND_EXPR") {
    for (const part of BoolExpr.args as Node[]) pin(part, pinned);
  }
  if (A_Expr?.kind !== "AEXPR_OP" || lastName(A_Expr.name) !== "=") return;
  const [left, right] = [A_Expr.lexpr, A_Expr.rexpr] as Node[];
  for (const [column, value] of [[left, right], [right, left]]) {
    const { fields } = (column?.ColumnRef ?? {}) as Node;
    if (fields !== undefined && isFixed(value)) pinned.push(lastName(fields));
  }
}

/** A constant or a parameter, cast or not. */
function isFixed(value: Node | undefined): boolean {
  const cast = value?.TypeCast as Node | undefined;
  if (cast !== undefined) return isFixed(cast.arg as Node);
  return value?.A_Const !== undefined || value?.ParamRef !== undefined;
}

/** Keys of a top-level ORDER BY, as output columns. */
export function orderKeys(body: Node): Shape["orderBy"] {
  const clause = body.sortClause as
    | { SortBy: { node: Node } }[]
    | undefined;
  if (clause === undefined) return undefined;
  const targets = list(body.targetList).map(({ ResTarget }) =>
    bare((ResTarget as Node).val)
  );
  const keys: (string | number)[] = [];
  for (const { SortBy } of clause) {
    const column = SortBy.node.ColumnRef as Node | undefined;
    const constant = SortBy.node.A_Const as
      | { ival?: { ival?: number } }
      | undefined;
    if (column !== undefined) keys.push(lastName(column.fields));
    else if (constant?.ival?.ival !== undefined) keys.push(constant.ival.ival);
    else {
      // An expression that is also selected is an output column.
      const key = bare(SortBy.node);
      const place = targets.indexOf(key);
      // A literal in it may be another one in the next text of this shape.
      if (place < 0 || hasStar(body) || /"A_Const"|"ParamRef"/.test(key)) {
        return null;
      }
      keys.push(place + 1);
    }
  }
  return keys;
}

/** The literal of a LIMIT without an OFFSET, if the key of the text tells it. */
export function limitOf(body: Node): number | undefined {
  const { A_Const } = (body.limitCount ?? {}) as {
    readonly A_Const?: { readonly ival?: { readonly ival?: number } };
  };
  if (body.limitOffset !== undefined || A_Const?.ival === undefined) {
    return undefined;
  }
  const { ival: limit = 0 } = A_Const.ival;
  return `${limit}`.length <= MAX_TOLD_DIGITS ? limit : undefined;
}

/** Keys of ORDER BY, with ordinals and names of outputs resolved to what they stand for. */
export function sortExpressions(select: Node): readonly unknown[] {
  return list(select.sortClause).map((item) =>
    resolved(select, (item.SortBy as { node: Node }).node)
  );
}

/** Expressions of GROUP BY, likewise, and those of its sets. */
export function groupExpressions(select: Node): readonly unknown[] {
  const within = (item: Node): readonly unknown[] => {
    const { GroupingSet, RowExpr } = item as Readonly<
      Record<string, Node | undefined>
    >;
    if (GroupingSet !== undefined) {
      return list(GroupingSet.content).flatMap(within);
    }
    return RowExpr === undefined
      ? [resolved(select, item)]
      : list(RowExpr.args).flatMap(within);
  };
  return list(select.groupClause).flatMap(within);
}

function resolved(select: Node, key: Node): unknown {
  const targets = list(select.targetList).map(({ ResTarget }) =>
    ResTarget as Node
  );
  const ordinal = (key.A_Const as { ival?: { ival?: number } } | undefined)
    ?.ival?.ival;
  if (ordinal !== undefined) return targets[ordinal - 1]?.val ?? key;
  const fields = list((key.ColumnRef as Node | undefined)?.fields);
  const named = fields.length === 1
    ? targets.find(({ name }) => name === lastName(fields))
    : undefined;
  return named?.val ?? key;
}

/** Behind a star no column's number is known. */
function hasStar({ targetList }: Node): boolean {
  return list(targetList).some(({ ResTarget }) => {
    const { ColumnRef } = ((ResTarget as Node).val ?? {}) as {
      ColumnRef?: Node;
    };
    return list(ColumnRef?.fields).some((field) => "A_Star" in field);
  });
}
