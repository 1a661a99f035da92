import { constantColumns } from "./constant_rows.ts";
import { type QueryOutputs, queryOutputs } from "./query_outputs.ts";
import { keyOfRelation } from "./relation_key.ts";
import { conflictColumns } from "./pins.ts";
import { chanceOf, chanceSets, type Updating } from "./updating.ts";
import { lastName, list, type Node, unwrap } from "./tree.ts";

/** One output column of RETURNING: a column of the table by its name, all of them, something else, or several columns of something else. */
export type ReturnedColumn =
  | { readonly column: string }
  | "all"
  | "other"
  | "others";

/** A statement that inserts rows, and what of it decides whether their columns get their defaults. */
export interface Insertion {
  /** The relation's key. */
  readonly relation: string;
  /** The columns that it names; none: the first ones, in their order. */
  readonly columns: readonly string[];
  /** Where its rows come from. */
  readonly source:
    | "values"
    | "defaults"
    /** A query that makes them of literals and parameters, in one order. */
    | "constants"
    | "query"
    | "copy";
  /** Rows of VALUES; of DEFAULT VALUES one. Undefined: as many as the query or COPY gives. */
  readonly rows: number | undefined;
  /** Values of each of them; 0: they are not known. */
  readonly width: number;
  /** Of a query for named columns, if it may be put into another one. */
  readonly outputs: QueryOutputs | undefined;
  /** Places of the word DEFAULT in VALUES, row by row. */
  readonly defaults: readonly number[];
  /** Places of values that chance decides by itself: `now()`. Of a query they are those of its outputs. */
  readonly chances: readonly number[];
  /** Those of them that draw from a sequence. */
  readonly draws: readonly number[];
  readonly returned: readonly ReturnedColumn[];
  /** ON CONFLICT. */
  readonly onConflict: "nothing" | "update" | undefined;
  /** Columns that ON CONFLICT names: a row that is there has the same values in them. */
  readonly conflict: readonly string[];
  /** Columns of the row that was to be inserted which ON CONFLICT reads. */
  readonly excluded: readonly string[] | "all";
  /** Columns that ON CONFLICT sets to what was to be inserted into them: `a = excluded.a`. */
  readonly kept: readonly string[];
  /** What ON CONFLICT sets to what chance decides. */
  readonly updating?: Omit<Updating, "relation"> | undefined;
  /** OVERRIDING … VALUE. */
  readonly overriding: "system" | "user" | undefined;
}

/** Reads a statement by its node's type and fields; undefined: it inserts nothing, at its top. */
export function insertionOf(type: string, node: Node): Insertion | undefined {
  if (type === "CopyStmt") return copied(node);
  if (type !== "InsertStmt") return undefined;
  const { relation, cols, selectStmt, override } = node;
  const { valuesLists } = unwrap(selectStmt)[1];
  const rows = list(valuesLists).map((row) => list(unwrap(row)[1].items));
  const [first = []] = rows;
  const isPlain = rows.length > 0 &&
    rows.every(({ length }) => length === first.length);
  const conflict = node.onConflictClause as Node | undefined;
  const constant = constantColumns(selectStmt);
  const chances = rows.flat().map(chanceOf);
  const names = list(cols);
  const isQuery = selectStmt !== undefined && !isPlain &&
    constant === undefined;
  const outputs = isQuery && names.length > 0
    ? queryOutputs(selectStmt, names.length)
    : undefined;
  return {
    relation: keyOfRelation(relation as Node),
    columns: names.map(({ ResTarget }) => String((ResTarget as Node).name)),
    source: selectStmt === undefined
      ? "defaults"
      : isPlain
      ? "values"
      : constant === undefined
      ? "query"
      : "constants",
    rows: selectStmt === undefined ? 1 : isPlain ? rows.length : undefined,
    width: isPlain ? first.length : constant ?? (outputs ? names.length : 0),
    outputs,
    defaults: rows.flat().flatMap((item, i) =>
      unwrap(item)[0] === "SetToDefault" ? [i] : []
    ),
    chances: outputs?.chances ??
      chances.flatMap((chance, i) => chance === undefined ? [] : [i]),
    draws: outputs?.draws ??
      chances.flatMap((chance, i) => chance === "sequence" ? [i] : []),
    returned: returnedOf(node),
    onConflict: conflict === undefined
      ? undefined
      : conflict.action === "ONCONFLICT_NOTHING"
      ? "nothing"
      : "update",
    conflict: conflictColumns(conflict),
    excluded: excludedIn(conflict),
    kept: keptBy(conflict),
    updating: chanceSets(conflict?.targetList),
    overriding: override === "OVERRIDING_SYSTEM_VALUE"
      ? "system"
      : override === "OVERRIDING_USER_VALUE"
      ? "user"
      : undefined,
  };
}

/** COPY … FROM. */
function copied({ relation, is_from, attlist }: Node): Insertion | undefined {
  if (is_from !== true || relation === undefined) return undefined;
  return {
    relation: keyOfRelation(relation as Node),
    columns: list(attlist).map((name) => lastName([name])),
    source: "copy",
    rows: undefined,
    width: 0,
    outputs: undefined,
    defaults: [],
    chances: [],
    draws: [],
    returned: [],
    onConflict: undefined,
    conflict: [],
    excluded: [],
    kept: [],
    overriding: undefined,
  };
}

/** The columns that `excluded.a` reads anywhere within a node. */
function excludedIn(node: unknown): readonly string[] | "all" {
  if (typeof node !== "object" || node === null) return [];
  const [type, { fields }] = unwrap(node);
  if (type === "ColumnRef") {
    const parts = list(fields);
    if (lastName(parts.slice(0, 1)) !== "excluded") return [];
    const name = lastName(parts.slice(1));
    return name === "" ? "all" : [name];
  }
  const inner = Object.values(node).map(excludedIn);
  return inner.includes("all") ? "all" : inner.flat();
}

function keptBy(conflict: Node | undefined): readonly string[] {
  return list(conflict?.targetList).flatMap(({ ResTarget }) => {
    const { name, indirection, val } = ResTarget as Node;
    const [type, { fields }] = unwrap(val);
    if (type !== "ColumnRef" || indirection !== undefined) return [];
    const parts = list(fields);
    const isKept = parts.length === 2 &&
      lastName(parts.slice(0, 1)) === "excluded" && lastName(parts) === name;
    return isKept ? [String(name)] : [];
  });
}

/** What RETURNING gives of the relation that `node` writes. */
export function returnedOf(node: Node): readonly ReturnedColumn[] {
  const clause = node.returningClause as Node | undefined;
  // With names for the old and the new row a column may be of either.
  if (list(clause?.options).length > 0) return ["other"];
  const { relname, alias } = node.relation as Node;
  const own = String((alias as Node | undefined)?.aliasname ?? relname);
  return list(clause?.exprs).map(({ ResTarget }) => {
    const [type, { fields, indirection }] = unwrap((ResTarget as Node).val);
    if (type !== "ColumnRef") {
      const isRow = list(indirection).some((part) => "A_Star" in part);
      return isRow ? "others" : "other";
    }
    const parts = list(fields);
    const isOwn = parts.length === 1 ||
      parts.length === 2 && lastName(parts.slice(0, 1)) === own;
    const isStar = unwrap(parts.at(-1))[0] === "A_Star";
    if (!isOwn) return isStar ? "others" : "other";
    return isStar ? "all" : { column: lastName(parts) };
  });
}
