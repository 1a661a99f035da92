import { parseSync } from "libpg-query";
import type { Insertion } from "../sql/mod.ts";
import type { GivenColumn, GivenColumns } from "./given_columns.ts";
import { ROWS } from "./value_text.ts";

/** A parse tree, or a part of it. */
export type Tree = Readonly<Record<string, unknown>>;

const decoder = new TextDecoder();

/**
 * Whether a text that was written is the client's and nothing more than the
 * given columns: without them its tree is the old one.
 */
export function isProved(
  before: Uint8Array,
  after: Uint8Array | undefined,
  insertion: Insertion,
  given: GivenColumns,
): boolean {
  if (after === undefined) return false;
  try {
    const [old, written] = [before, after].map((text) =>
      insertOf(decoder.decode(text.slice()))
    );
    if (old === undefined || written === undefined) return false;
    return text(old) === text(without(written, old, insertion, given));
  } catch {
    // The text does not parse.
    return false;
  }
}

function insertOf(sql: string): Tree | undefined {
  const { stmts = [] } = parseSync(sql) as { stmts?: { stmt: Tree }[] };
  const [only] = stmts;
  return stmts.length === 1
    ? only?.stmt.InsertStmt as Tree | undefined
    : undefined;
}

/** The written tree with what was added taken away. */
function without(
  written: Tree,
  old: Tree,
  { source, width, columns: named }: Insertion,
  { columns, positional, updates }: GivenColumns,
): Tree {
  const added = columns.filter(({ item }) => item === undefined);
  const own = named.length > 0 ? named : positional;
  const cols = written.cols as Tree[];
  const names = cols.map((col) => (col.ResTarget as Tree).name);
  const expected = [...own, ...added.map(({ name }) => name)];
  if (text(names) !== text(expected)) return {};
  const { cols: _, override, selectStmt, ...rest } = written;
  const isOverridden = override !== old.override &&
    columns.some(({ isAlways }) => isAlways);
  const tree = {
    ...rest,
    override: isOverridden ? old.override : override,
    ...(updates.length === 0 ? {} : {
      onConflictClause: withoutSets(
        written.onConflictClause as Tree,
        old.onConflictClause as Tree,
        updates,
      ),
    }),
    ...(named.length > 0 ? { cols: cols.slice(0, own.length) } : {}),
  };
  if (source === "defaults") return tree;
  if (source === "constants") {
    return { ...tree, selectStmt: innerQuery(selectStmt, columns.length) };
  }
  if (source === "query") {
    return { ...tree, selectStmt: wrappedQuery(selectStmt, names.length) };
  }
  const replaced = new Set(columns.map(({ item }) => item));
  const select = (selectStmt as Tree).SelectStmt as Tree;
  const oldSelect = (old.selectStmt as Tree).SelectStmt as Tree;
  const oldItem = (row: number, i: number) =>
    (((oldSelect.valuesLists as Tree[])[row]?.List as Tree).items as Tree[])[i];
  // DEFAULT, or what the client has in its place: that stands in the new one.
  const withoutValue = (item: Tree, row: number, i: number) => {
    const before = oldItem(row, i);
    const isDefault = before !== undefined && "SetToDefault" in before;
    return isDefault || text(item).includes(text(before)) ? before : item;
  };
  const valuesLists = (select.valuesLists as Tree[]).map((list, row) => ({
    List: {
      items: ((list.List as Tree).items as Tree[]).slice(0, width).map((
        item,
        i,
      ) => replaced.has(i) ? withoutValue(item, row, i) : item),
    },
  }));
  return { ...tree, selectStmt: { SelectStmt: { ...select, valuesLists } } };
}

/** A written SET with the client's values in the place of those that hold them. */
export function withoutSets(
  written: Tree,
  old: Tree,
  columns: readonly GivenColumn[],
): Tree {
  const given = new Set(columns.map(({ item }) => item));
  const oldTargets = old.targetList as Tree[];
  const targets = (written.targetList as Tree[]).map((target, i) => {
    const oldTarget = oldTargets[i];
    if (!given.has(i) || oldTarget === undefined) return target;
    const { ResTarget } = target as { ResTarget: Tree };
    const { val } = oldTarget.ResTarget as Tree;
    return text(ResTarget.val).includes(text(val))
      ? { ResTarget: { ...ResTarget, val } }
      : target;
  });
  return { ...written, targetList: targets };
}

/** The client's query within the written one, of which all else is as it must be; undefined: it is not. */
function innerQuery(written: unknown, added: number): unknown {
  const { targetList, fromClause, ...rest } = (written as Tree)
    .SelectStmt as Tree;
  const targets = targetList as Tree[];
  const from = fromClause as Tree[];
  const { subquery, ...alias } = from[0]?.RangeSubselect as Tree;
  const isAsWritten = targets.length === 1 + added && from.length === 1 &&
    text(targets[0]) === text(ALL_ROWS) && text(alias) === text(ALIAS) &&
    text(rest) === text(PLAIN);
  return isAsWritten ? subquery : undefined;
}

/** The same of a query whose rows are paired with others. */
function wrappedQuery(written: unknown, width: number): unknown {
  const { targetList, fromClause, ...rest } = (written as Tree)
    .SelectStmt as Tree;
  const [join, ...others] = fromClause as Tree[];
  const { larg } = join?.JoinExpr as Tree;
  const outer = queryOf(larg).SelectStmt as Tree;
  const [from, ...more] = outer.fromClause as Tree[];
  const isAsWritten = (targetList as Tree[]).length === width &&
    others.length === 0 && more.length === 0 && text(rest) === text(PLAIN);
  return isAsWritten ? queryOf(from) : undefined;
}

function queryOf(from: unknown): Tree {
  return ((from as Tree).RangeSubselect as Tree).subquery as Tree;
}

const ALIAS = { alias: { aliasname: ROWS } };
const ALL_ROWS = {
  ResTarget: {
    val: {
      ColumnRef: { fields: [{ String: { sval: ROWS } }, { A_Star: {} }] },
    },
  },
};
const PLAIN = { limitOption: "LIMIT_OPTION_DEFAULT", op: "SETOP_NONE" };

/** Without the places in the text, and with keys in one order. */
export function text(tree: unknown): string {
  return JSON.stringify(tree, (_, value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return value;
    }
    return Object.fromEntries(
      Object.entries(value).filter(([key]) => !PLACES.has(key)).toSorted(
        ([a], [b]) => a < b ? -1 : 1,
      ),
    );
  });
}

/** Of A_ArrayExpr and A_Expr, too. */
const PLACES: ReadonlySet<string> = new Set([
  "location",
  "list_start",
  "list_end",
  "rexpr_list_start",
  "rexpr_list_end",
]);
