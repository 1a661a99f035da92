import { aliasOf } from "./keys.ts";
import type { Shape } from "./shape.ts";
import { lastName, list, type Node, toldText, unwrap } from "./tree.ts";
import { isRandom } from "./volatile.ts";

type Key = NonNullable<Shape["orderBy"]>[number];

/** Keys of a top-level ORDER BY, as output columns. */
export function orderKeys(select: Node): Shape["orderBy"] {
  const keys: Key[] = [];
  const sorted = list(select.sortClause);
  for (const { SortBy } of sorted) {
    const { node } = SortBy as { node: Node };
    const key = keyOf(node, select);
    if (isRandom(valueOf(node, key, select))) break;
    if (key === undefined) return null;
    keys.push(key);
  }
  // Sorted by what was drawn first, rows come in any order.
  return keys.length === 0 ? undefined : keys;
}

/** The expression that a key stands for. */
function valueOf(node: Node, key: Key | undefined, select: Node): unknown {
  const targets = targetsOf(select);
  if (typeof key === "number") return targets.at(key < 0 ? key : key - 1)?.val;
  return targets.find(({ name }) => key !== undefined && name === key)?.val ??
    node;
}

/** An output column by its name or its number; undefined: it is none, or which is not known. */
function keyOf(node: Node, select: Node): Key | undefined {
  const [type, fields] = unwrap(node);
  if (type === "A_Const") {
    const { ival } = fields as { ival?: { ival?: number } };
    return ival?.ival;
  }
  const names = list(fields.fields).map((field) => lastName([field]));
  // A name alone is first of all that of an output.
  if (type === "ColumnRef" && names.length === 1) return names[0];
  const isKey = type === "ColumnRef"
    ? isColumn(names, select)
    : (value: unknown) => {
      const text = toldText(node);
      return text !== undefined && toldText(value) === text;
    };
  const targets = targetsOf(select);
  const place = targets.findIndex(({ val }) => isKey(val));
  if (place < 0) {
    return type === "ColumnRef" ? inStar(names, select) : undefined;
  }
  // Of how many columns a star is, is not known.
  const stars = targets.map(({ val }) => starOf(val) !== undefined);
  if (!stars.slice(0, place).includes(true)) return place + 1;
  return stars.slice(place).includes(true) ? undefined : place - targets.length;
}

/** Whether an expression is a column that is named with its relation. */
function isColumn(names: readonly string[], select: Node) {
  const [column, table] = names.toReversed();
  return (value: unknown): boolean => {
    const [type, { fields }] = unwrap(value);
    if (type !== "ColumnRef") return false;
    const own = list(fields).map((field) => lastName([field])).toReversed();
    return own[0] === column &&
      (own[1] === table || own.length === 1 && isOnly(select));
  };
}

/** A column of the relation that the first star begins with is the first of its name. */
function inStar(names: readonly string[], select: Node): Key | undefined {
  const [column, table] = names.toReversed();
  const star = starOf(targetsOf(select)[0]?.val);
  const isFirst = star === table ||
    star === "*" && firstSource(list(select.fromClause)[0]) === table;
  return isFirst ? column : undefined;
}

/** The relation of a star, `*` itself for all; undefined: it is none. */
function starOf(value: unknown): string | undefined {
  const [type, node] = unwrap(value);
  const fields = list(type === "ColumnRef" ? node.fields : undefined);
  const last = fields.at(-1);
  if (last === undefined || !("A_Star" in last)) {
    // (f(a)).* is several columns, too.
    const parts = list(node.indirection);
    return parts.some((part) => "A_Star" in part) ? "" : undefined;
  }
  return fields.length > 1 ? lastName([fields.at(-2)]) : "*";
}

function isOnly(select: Node): boolean {
  const [item, more] = list(select.fromClause);
  return item !== undefined && more === undefined && !("JoinExpr" in item);
}

function firstSource(item: unknown): string | undefined {
  const [type, node] = unwrap(item);
  return type === "JoinExpr" ? firstSource(node.larg) : aliasOf(node);
}

function targetsOf(select: Node): readonly Node[] {
  return list(select.targetList).map(({ ResTarget }) => ResTarget as Node);
}
