import { lastName, list, type Node, unwrap } from "./tree.ts";
import { literalStarts } from "./literals.ts";

/** A column that a statement holds to one value. */
export interface Pin {
  readonly column: string;
  /** `$n` of the text, or its nth literal, both from 1. */
  readonly from: { readonly param: number } | { readonly literal: number };
  /** The type that the value is cast to, which may be another one than the column's. */
  readonly cast: string | undefined;
}

/** Columns of a statement that are looked at. */
const MAX_PINS = 16;
/** Values of its rows that are, beside them. */
const MAX_VALUES = 64;

/** In the place of a column: what the n-th row of VALUES has at a place, both from 0. No column has such a name. */
export function rowValueKey(row: number, place: number): string {
  return `\0${row}\0${place}`;
}

/** In the place of a column: what SET, or a query that is inserted, gives it. */
export function setValueKey(column: string): string {
  return `\0=\0${column}`;
}

/** What a key of these two is of; undefined: it is a column. */
export function writtenValue(
  key: string,
):
  | { readonly row: number; readonly place: number }
  | { readonly column: string }
  | undefined {
  const [, row, rest = ""] = /^\0(\d+|=)\0(.*)$/s.exec(key) ?? [];
  if (row === undefined) return undefined;
  return row === "="
    ? { column: rest }
    : { row: Number(row), place: Number(rest) };
}

/**
 * The rows that a statement touches of its only relation, as far as its text
 * tells: those with these values. Nothing else in the statement names the relation.
 */
export interface PinnedRows {
  readonly relation: string;
  readonly pins: readonly Pin[];
  /** The columns that an UPDATE sets. */
  readonly set: readonly string[] | undefined;
  /** What it writes, by {@linkcode rowValueKey}, and by {@linkcode setValueKey} to all rows: that pins nothing. */
  readonly written: readonly Pin[];
}

/** Casts that keep a value what it is, without a length. */
const KEEPING: ReadonlySet<string> = new Set([
  "int2",
  "int4",
  "int8",
  "uuid",
  "text",
  "varchar",
]);

/**
 * What SELECT, UPDATE and DELETE pin in WHERE by `=`, and INSERT by its one row.
 *
 * @param text that `stmt` is the only statement of.
 */
export function pinnedRows(
  stmt: Node,
  text: Uint8Array,
): PinnedRows | undefined {
  const [type, body] = unwrap(stmt);
  const found = type === "SelectStmt"
    ? ofSelect(body)
    : type === "UpdateStmt"
    ? ofUpdate(body)
    : type === "DeleteStmt"
    ? ofDelete(body)
    : type === "InsertStmt"
    ? ofInsert(body)
    : undefined;
  if (found === undefined) return undefined;
  const { relation } = found;
  // What stands in front may write, or wait: that says nothing of the values of a query.
  const values = body.withClause === undefined
    ? found.values
    : found.values.filter(([column]) => column.startsWith(setValueKey("")));
  if (body.withClause !== undefined && type !== "InsertStmt") return undefined;
  const tree = JSON.stringify(stmt);
  const named = tree.split(`"relname":${JSON.stringify(relation)}`).length - 1;
  if (named !== 1) return undefined;
  // The number of literals in a list differs from text to text of one shape.
  const hasLists = /"A_ArrayExpr"|"AEXPR_IN"|"ANY_SUBLINK"/.test(tree);
  let starts: readonly number[] | undefined;
  const pins: Pin[] = [];
  const written: Pin[] = [];
  for (const [column, value] of values) {
    const isWritten = column.startsWith("\0");
    const found = isWritten ? written : pins;
    if (found.length === (isWritten ? MAX_VALUES : MAX_PINS)) continue;
    const from = sourceOf(value);
    if (from === undefined) continue;
    const { cast } = from;
    if ("param" in from) {
      found.push({ column, from: { param: from.param }, cast });
    } else if (!hasLists) {
      starts ??= literalStarts(text);
      // A sign, or the E of E'…', stands before its literal.
      const literal = countBelow(starts, from.at) + 1;
      found.push({ column, from: { literal }, cast });
    }
  }
  return pins.length + written.length === 0
    ? undefined
    : { relation, pins, set: found.set, written };
}

/** How many of `sorted` are below `limit`. */
function countBelow(sorted: readonly number[], limit: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

interface Found {
  readonly relation: string;
  readonly values: readonly (readonly [column: string, value: unknown])[];
  /** Columns that an UPDATE sets. */
  readonly set?: readonly string[];
}

function ofSelect(body: Node): Found | undefined {
  const [item, more] = list(body.fromClause);
  const table = item?.RangeVar as Node | undefined;
  return table === undefined || more !== undefined
    ? undefined
    : { relation: String(table.relname), values: equalities(body) };
}

function ofUpdate(body: Node): Found | undefined {
  if (list(body.fromClause).length > 0) return undefined;
  const set = new Set(list(body.targetList).map(nameOf));
  return {
    relation: String((body.relation as Node).relname),
    set: [...set],
    values: [
      // A row that gets another value is of both.
      ...equalities(body).filter(([column]) => !set.has(column)),
      ...list(body.targetList).filter((target) => !isPart(target)).map((
        target,
      ) =>
        [
          setValueKey(nameOf(target)),
          (target.ResTarget as Node).val,
        ] as const
      ),
    ],
  };
}

function ofDelete(body: Node): Found | undefined {
  return list(body.usingClause).length > 0 ? undefined : {
    relation: String((body.relation as Node).relname),
    values: equalities(body),
  };
}

/** Names of the columns that a statement compares for equality with anything but columns, wherever it does. */
export function equatedColumns(tree: unknown): readonly string[] {
  const found = new Set<string>();
  const visit = (tree: unknown) => {
    if (typeof tree !== "object" || tree === null) return;
    for (const [type, node] of Object.entries(tree as Node)) {
      const sides = sidesOf(type, node as Node).map(columnsIn);
      // One column beside another joins rows.
      if (sides.some((columns) => columns.length === 0)) {
        for (const name of sides.flat()) found.add(name);
      }
      visit(node);
    }
  };
  visit(tree);
  return [...found];
}

/** What a node compares for equality. */
function sidesOf(type: string, node: Node): readonly unknown[] {
  if (type === "SubLink" && node.testexpr !== undefined) {
    return [node.testexpr, []];
  }
  const isEqual = type === "A_Expr" && lastName(node.name) === "=";
  return isEqual ? [node.lexpr, node.rexpr] : [];
}

/** Columns in an expression, those of queries within left out. */
function columnsIn(tree: unknown): readonly string[] {
  if (typeof tree !== "object" || tree === null) return [];
  return Object.entries(tree as Node).flatMap(([type, node]) =>
    type === "ColumnRef"
      ? [lastName((node as Node).fields)]
      : type === "SubLink"
      ? []
      : columnsIn(node)
  );
}

/** The columns that ON CONFLICT names, and leaves: a row that is there already has the same values in them. */
export function conflictColumns(clause: Node | undefined): readonly string[] {
  const set = new Set(list(clause?.targetList).map(nameOf));
  return list((clause?.infer as Node | undefined)?.indexElems)
    .flatMap(({ IndexElem }) => {
      const { name } = IndexElem as Node;
      return name === undefined || set.has(String(name)) ? [] : [String(name)];
    });
}

function ofInsert(body: Node): Found | undefined {
  const { SelectStmt } = (body.selectStmt ?? {}) as { SelectStmt?: Node };
  const rows = list(SelectStmt?.valuesLists);
  if (body.override === "OVERRIDING_USER_VALUE") return undefined;
  const relation = String((body.relation as Node).relname);
  const columns = list(body.cols);
  if (rows.length === 0) {
    return { relation, values: valuesOfQuery(columns, SelectStmt) };
  }
  const isOne = rows.length === 1 && columns.length > 0;
  const conflict = body.onConflictClause as Node | undefined;
  const isNew = conflict?.action !== "ONCONFLICT_UPDATE";
  const conflicting = conflictColumns(conflict);
  const values = rows.flatMap((row, at) =>
    list((row.List as Node | undefined)?.items).flatMap((value, place) => {
      const column = columns[place];
      if (column !== undefined && isPart(column)) return [];
      // Of a row that is there already the others may have other values.
      const isPinned = isOne && column !== undefined &&
        (isNew || conflicting.includes(nameOf(column)));
      const key = isPinned && column !== undefined
        ? nameOf(column)
        : rowValueKey(at, place);
      return [[key, value] as const];
    })
  );
  return { relation, values };
}

/** What a query gives to all its rows. */
function valuesOfQuery(
  columns: readonly Node[],
  select: Node | undefined,
): Found["values"] {
  const targets = list(select?.targetList);
  if (select?.op !== "SETOP_NONE" || targets.length !== columns.length) {
    return [];
  }
  // A column of which WHERE says the value has it in all rows.
  const known = new Map(
    comparisons(select).map(([column, value]) => [pathOf(column), value]),
  );
  return targets.flatMap((target, place) => {
    const column = columns[place];
    if (column === undefined || isPart(column)) return [];
    const { val } = unwrap(target)[1];
    const [type, fields] = unwrap(val);
    const value = type === "ColumnRef" ? known.get(pathOf(fields)) : val;
    return value === undefined
      ? []
      : [[setValueKey(nameOf(column)), value] as const];
  });
}

/** A column's name, with those before it. */
function pathOf({ fields }: Node): string {
  return JSON.stringify(list(fields).map((field) => lastName([field])));
}

/** Of a column that is written, whole or in part. */
function nameOf({ ResTarget }: Node): string {
  return String((ResTarget as Node).name);
}

/** Whether a field or an element of a column is written only. */
function isPart({ ResTarget }: Node): boolean {
  return (ResTarget as Node).indirection !== undefined;
}

function equalities(body: Node): Found["values"] {
  return comparisons(body).map(([column, value]) =>
    [lastName(column.fields), value] as const
  );
}

/** Columns that WHERE compares by `=`, each with what it is compared with. */
function comparisons(
  { whereClause }: Node,
): readonly (readonly [column: Node, value: unknown])[] {
  const found: [Node, unknown][] = [];
  const visit = (condition: unknown) => {
    const [type, fields] = unwrap(condition);
    if (type === "BoolExpr" && fields.boolop === "AND_EXPR") {
      for (const part of list(fields.args)) visit(part);
    }
    const isEqual = type === "A_Expr" && fields.kind === "AEXPR_OP" &&
      list(fields.name).length === 1 && lastName(fields.name) === "=";
    if (!isEqual) return;
    for (
      const [side, value] of [
        [fields.lexpr, fields.rexpr],
        [fields.rexpr, fields.lexpr],
      ]
    ) {
      const [kind, column] = unwrap(side);
      if (kind === "ColumnRef") found.push([column, value]);
    }
  };
  visit(whereClause);
  return found;
}

type Source =
  | { readonly param: number; readonly cast: string | undefined }
  | { readonly at: number; readonly cast: string | undefined };

/** Where a value stands, cast once at the most: in a parameter, or at a byte of the text. */
function sourceOf(value: unknown, cast?: string): Source | undefined {
  const [type, fields] = unwrap(value);
  switch (type) {
    case "ParamRef":
      return { param: Number(fields.number), cast };
    case "A_Const":
      return fields.sval !== undefined || fields.ival !== undefined
        ? { at: Number(fields.location ?? 0), cast }
        : undefined;
    case "TypeCast": {
      const { names, typmods, arrayBounds } = fields.typeName as Node;
      const name = lastName(names);
      return cast === undefined && KEEPING.has(name) &&
          typmods === undefined && arrayBounds === undefined
        ? sourceOf(fields.arg, name)
        : undefined;
    }
    default:
      return undefined;
  }
}
