import { lastName, list, type Node, unwrap } from "./tree.ts";
import { literalStarts } from "./literals.ts";

/** A column that a statement holds to one value. */
export interface Pin {
  readonly column: string;
  /** `$n` of the text, or its nth literal, both from 1. */
  readonly from: { readonly param: number } | { readonly literal: number };
}

/**
 * The rows that a statement touches of its only relation, as far as its text
 * tells: those with these values. Nothing else in the statement names the relation.
 */
export interface PinnedRows {
  readonly relation: string;
  readonly pins: readonly Pin[];
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
  if (found === undefined || body.withClause !== undefined) return undefined;
  const { relation, values } = found;
  const tree = JSON.stringify(stmt);
  const named = tree.split(`"relname":${JSON.stringify(relation)}`).length - 1;
  if (named !== 1) return undefined;
  // The number of values in a list differs from text to text of one shape.
  const hasLists = /"A_ArrayExpr"|"AEXPR_IN"/.test(tree);
  let starts: readonly number[] | undefined;
  const pins: Pin[] = [];
  for (const [column, value] of values) {
    const from = sourceOf(value);
    if (from === undefined) continue;
    if ("param" in from) pins.push({ column, from });
    else if (!hasLists) {
      starts ??= literalStarts(text);
      const literal = starts.filter((start) => start <= from.at).length;
      // A sign, or the E of E'…', stands before its literal.
      const own = starts[literal - 1] === from.at ? literal : literal + 1;
      pins.push({ column, from: { literal: own } });
    }
  }
  return pins.length === 0 ? undefined : { relation, pins };
}

interface Found {
  readonly relation: string;
  readonly values: readonly (readonly [column: string, value: unknown])[];
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
    // A row that gets another value is of both.
    values: equalities(body).filter(([column]) => !set.has(column)),
  };
}

function ofDelete(body: Node): Found | undefined {
  return list(body.usingClause).length > 0 ? undefined : {
    relation: String((body.relation as Node).relname),
    values: equalities(body),
  };
}

function ofInsert(body: Node): Found | undefined {
  const { SelectStmt } = (body.selectStmt ?? {}) as { SelectStmt?: Node };
  const [row, more] = list(SelectStmt?.valuesLists);
  if (
    row === undefined || more !== undefined ||
    body.onConflictClause !== undefined
  ) return undefined;
  const values = list((row.List as Node | undefined)?.items);
  return {
    relation: String((body.relation as Node).relname),
    values: list(body.cols).flatMap((column, i) => {
      const value = values[i];
      return value === undefined ? [] : [[nameOf(column), value] as const];
    }),
  };
}

/** Of a column that is written; one of its fields or elements is not it. */
function nameOf({ ResTarget }: Node): string {
  return String((ResTarget as Node).name);
}

function equalities({ whereClause }: Node): Found["values"] {
  const found: [string, unknown][] = [];
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
      if (kind === "ColumnRef") found.push([lastName(column.fields), value]);
    }
  };
  visit(whereClause);
  return found;
}

/** Where a value stands: in a parameter, or at a byte of the text. */
function sourceOf(
  value: unknown,
): { readonly param: number } | { readonly at: number } | undefined {
  const [type, fields] = unwrap(value);
  switch (type) {
    case "ParamRef":
      return { param: Number(fields.number) };
    case "A_Const":
      return fields.sval !== undefined || fields.ival !== undefined
        ? { at: Number(fields.location ?? 0) }
        : undefined;
    case "TypeCast": {
      const { names, typmods, arrayBounds } = fields.typeName as Node;
      return KEEPING.has(lastName(names)) && typmods === undefined &&
          arrayBounds === undefined
        ? sourceOf(fields.arg)
        : undefined;
    }
    default:
      return undefined;
  }
}
