import { MAX_TOLD_DIGITS } from "./literal_free_key.ts";
import type { TextScope } from "./collated.ts";
import { givesOneRow } from "./one_row.ts";
import { keyOfRelation } from "./relation_key.ts";
import type { Only } from "./shape.ts";
import { Targets } from "./targets.ts";
import type { Columns } from "./trait.ts";
import { bare, lastName, list, type Node, unwrap } from "./tree.ts";

/** Whether a LIMIT or OFFSET may leave out rows that an equal server keeps. WITH TIES leaves none to chance. */
export function isLimited(select: Node): boolean {
  if (select.limitOption === "LIMIT_OPTION_WITH_TIES") return false;
  const { limitCount, limitOffset } = select;
  const isBound = [limitCount, limitOffset].some((bound) =>
    bound !== undefined && !isNull(bound)
  );
  return isBound && !givesOneRow(select);
}

function isNull(bound: unknown): boolean {
  return (bound as { A_Const?: Node }).A_Const?.isnull === true;
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

/** What expressions are the same by; what nothing is known of is none of them. */
export class Keys {
  readonly #texts: ReadonlySet<string>;

  constructor(texts: readonly (string | undefined)[]) {
    this.#texts = new Set(texts.filter((text) => text !== undefined));
  }

  has(text: string | undefined): boolean {
    return text !== undefined && this.#texts.has(text);
  }
}

/** The only relation of a SELECT, with the columns that its WHERE compares with a constant by `=`, and those that it is sorted by. */
export function onlyRelation(select: Node): Only | undefined {
  const table = onlyTable(select);
  if (table === undefined) return undefined;
  return {
    relation: keyOfRelation(table),
    pinned: pinnedColumns(select, table),
    sorted: columnsOf(sortExpressions(select), table),
  };
}

function onlyTable(select: Node): Node | undefined {
  const [item, more] = list(select.fromClause);
  return more === undefined && select.withClause === undefined
    ? item?.RangeVar as Node | undefined
    : undefined;
}

/** The only relation of a SELECT, with the columns that `keys` name and those that WHERE pins. */
export function uniqueKeys(
  select: Node,
  keys: readonly unknown[],
): Columns | undefined {
  const table = onlyTable(select);
  if (table === undefined) return undefined;
  const pinned = pinnedColumns(select, table);
  const columns = [...pinned, ...columnsOf(keys, table)];
  return { relation: keyOfRelation(table), columns, pinned };
}

/** The keys of an ORDER BY that choose among rows which are equal in DISTINCT ON. */
export function choosingKeys(
  sorted: readonly unknown[],
  distinct: readonly unknown[],
): readonly unknown[] {
  const equal = new Set(distinct.map(bare));
  return sorted.filter((key) => !equal.has(bare(key)));
}

/** The names of a SELECT's only relation, for those who know of no others. */
export function onlyNames(select: Node, spend: TextScope["spend"]): TextScope {
  const table = onlyTable(select);
  return {
    spend,
    textOfColumn(fields) {
      const [column] = columnsOf([{ ColumnRef: { fields } }], table ?? {});
      return table === undefined || column === undefined
        ? undefined
        : { columns: [{ relation: keyOfRelation(table), column }] };
    },
    textOfSelect: () => undefined,
  };
}

/** The columns of a table among expressions. */
function columnsOf(
  expressions: readonly unknown[],
  table: Node,
): readonly string[] {
  return expressions.flatMap((expression) => columnOf(expression, table) ?? []);
}

/** The name of a column of a table; undefined: of another one, or no column. */
function columnOf(expression: unknown, table: Node): string | undefined {
  const [type, node] = unwrap(expression);
  if (type !== "ColumnRef") return undefined;
  const names = list(node.fields).map((field) => lastName([field]));
  const [column = "", of = aliasOf(table)] = names.toReversed();
  return of === aliasOf(table) ? column : undefined;
}

/** What a source in FROM is called; undefined: it is a join. */
export function aliasOf(source: Node): string | undefined {
  const alias = source.alias as Node | undefined;
  const name = alias?.aliasname ?? source.relname;
  return name === undefined ? undefined : String(name);
}

function pinnedColumns(select: Node, table: Node): readonly string[] {
  const pinned: unknown[] = [];
  pin(select.whereClause as Node | undefined, pinned);
  return columnsOf(pinned, table);
}

function pin(condition: Node | undefined, pinned: unknown[]): void {
  const { BoolExpr, A_Expr } = (condition ?? {}) as Readonly<
    Record<string, Node | undefined>
  >;
  if (BoolExpr?.boolop === "AND_EXPR") {
    for (const part of BoolExpr.args as Node[]) pin(part, pinned);
  }
  if (A_Expr?.kind !== "AEXPR_OP" || lastName(A_Expr.name) !== "=") return;
  const [left, right] = [A_Expr.lexpr, A_Expr.rexpr] as Node[];
  for (const [column, value] of [[left, right], [right, left]]) {
    if (isFixed(value)) pinned.push(column);
  }
}

/** A constant or a parameter, cast or not. */
function isFixed(value: Node | undefined): boolean {
  const cast = value?.TypeCast as Node | undefined;
  if (cast !== undefined) return isFixed(cast.arg as Node);
  return value?.A_Const !== undefined || value?.ParamRef !== undefined;
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

/** Keys of ORDER BY, with ordinals and names of outputs resolved to what they stand for: each once. */
export function sortExpressions(select: Node): readonly unknown[] {
  return resolved(
    select,
    list(select.sortClause).map((item) => (item.SortBy as { node: Node }).node),
  );
}

/** Expressions of DISTINCT ON, likewise. */
export function distinctExpressions(select: Node): readonly unknown[] {
  return resolved(
    select,
    list(select.distinctClause).filter((item) => Object.keys(item).length > 0),
  );
}

/** Expressions of GROUP BY, likewise, and those of its sets. */
export function groupExpressions(select: Node): readonly unknown[] {
  const within = (item: Node): readonly Node[] => {
    const { GroupingSet, RowExpr } = item as Readonly<
      Record<string, Node | undefined>
    >;
    if (GroupingSet !== undefined) {
      return list(GroupingSet.content).flatMap(within);
    }
    return RowExpr === undefined ? [item] : list(RowExpr.args).flatMap(within);
  };
  return resolved(select, list(select.groupClause).flatMap(within));
}

/** What keys stand for: `order by 1, 1, 1` is one expression. */
function resolved(select: Node, keys: readonly Node[]): readonly unknown[] {
  if (keys.length === 0) return keys;
  const targets = Targets.of(select);
  return [...new Set(keys.map((key) => valueOf(key, targets)))];
}

function valueOf(key: Node, targets: Targets): unknown {
  const ordinal = (key.A_Const as { ival?: { ival?: number } } | undefined)
    ?.ival?.ival;
  if (ordinal !== undefined) return targets.at(ordinal) ?? key;
  const fields = list((key.ColumnRef as Node | undefined)?.fields);
  return fields.length === 1 ? targets.named(lastName(fields)) ?? key : key;
}
