import { conjuncts, heldColumns, isEqual } from "./conjuncts.ts";
import { returnedOf } from "./insertion.ts";
import {
  aliasOf,
  isLimited,
  isSetOperation,
  sortExpressions,
  uniqueKeys,
} from "./keys.ts";
import type { RowLocking } from "./row_locking.ts";
import { keyOfRelation } from "./relation_key.ts";
import { lastName, list, type Node, unwrap } from "./tree.ts";

/** Reads a statement by its node's type and fields; undefined: it locks nothing, or who locks what is not told. */
export function rowLockingOf(
  type: string,
  body: Node,
  locks: boolean,
): RowLocking | undefined {
  return (locks ? skippingOf(type, body) : undefined) ??
    choosingOf(type, body);
}

/** An UPDATE or DELETE by its own condition. */
function choosingOf(type: string, body: Node): RowLocking | undefined {
  if (type !== "UpdateStmt" && type !== "DeleteStmt") return undefined;
  if (body.withClause !== undefined) return undefined;
  if (unwrap(body.whereClause)[0] === "CurrentOfExpr") return undefined;
  const table = body.relation as Node;
  const sources = list(body.fromClause ?? body.usingClause);
  // Whose columns the written condition would name is not told.
  if (sources.some((source) => mayBeCalled(source, nameOf(table)))) {
    return undefined;
  }
  const { locking, queries, named } = lookedAt({ [type]: body });
  // An inner query would choose among the rows that are told.
  if (queries.some(isLimited) || locking.some(skipsLocked)) return undefined;
  const name = String(table.relname);
  return {
    relation: keyOfRelation(table),
    name,
    alias: nameOf(table),
    returned: returnedOf(body),
    by: undefined,
    sorted: undefined,
    compared: comparedIn(body),
    isAlone: named.get(name) === 1,
    isOnlyChoice: true,
    own: {
      sets: list(body.targetList).map(({ ResTarget }) =>
        String((ResTarget as Node).name)
      ),
      held: heldColumns(body.whereClause, nameOf(table)),
    },
  };
}

/** What FOR … SKIP LOCKED locks. */
function skippingOf(
  type: string,
  body: Node,
): RowLocking | undefined {
  const { locking, queries, named } = lookedAt({ [type]: body });
  const [select, ...others] = locking;
  if (select === undefined || others.length > 0) return undefined;
  const table = lockedTable(select);
  if (table === undefined) return undefined;
  const relation = keyOfRelation(table);
  const name = String(table.relname);
  const isSelect = select === body;
  const by = isSelect ? undefined : linkOf(type, body, select, relation);
  if (!isSelect && by === undefined) return undefined;
  const returned = isSelect
    ? returnedOf({
      relation: table,
      returningClause: { exprs: body.targetList },
    })
    : returnedOf(body);
  return {
    relation,
    name,
    alias: nameOf(table),
    returned,
    by,
    sorted: isLimited(select)
      ? uniqueKeys(select, sortExpressions(select))?.columns ?? []
      : undefined,
    compared: isLimited(select) ? comparedIn(select) : [],
    isAlone: (named.get(name) ?? 0) === (isSelect ? 1 : 2),
    isOnlyChoice: queries.every((query) =>
      query === select ||
      !isLimited(query) && query.distinctClause === undefined
    ),
  };
}

/** What ORDER BY reads, and WHERE but for what it holds equal. */
function comparedIn(select: Node): readonly string[] | "any" {
  const found = new Set<string>();
  const visit = (value: unknown) => {
    if (typeof value !== "object" || value === null) return;
    const { ColumnRef: column, A_Expr: expression } = value as Readonly<
      Record<string, Node | undefined>
    >;
    if (expression !== undefined && isEqual(expression.name)) return;
    if (column !== undefined) found.add(lastName(column.fields));
    for (const child of Object.values(value)) visit(child);
  };
  visit(select.whereClause);
  for (const item of list(select.sortClause)) {
    const [type, key] = unwrap(unwrap(item)[1].node);
    const name = type === "ColumnRef" ? lastName(key.fields) : undefined;
    // A number stands for an output, and so does a name that one has.
    if (type === "A_Const" || isOutput(select, name)) return "any";
    visit({ [type]: key });
  }
  return [...found];
}

/** Whether a name in ORDER BY stands for an output that is no column of the name. */
function isOutput(select: Node, name: string | undefined): boolean {
  return name !== undefined &&
    list(select.targetList).some(({ ResTarget }) => {
      const { name: own, val } = ResTarget as Node;
      const [type, { fields }] = unwrap(val);
      return own === name &&
        (type !== "ColumnRef" || lastName(fields) !== name);
    });
}

interface LookedAt {
  /** Queries with a locking clause. */
  readonly locking: Node[];
  readonly queries: Node[];
  /** How often relations are named. */
  readonly named: Map<string, number>;
}

function lookedAt(tree: Node): LookedAt {
  const found: LookedAt = { locking: [], queries: [], named: new Map() };
  const visit = (value: unknown) => {
    if (typeof value !== "object" || value === null) return;
    const { SelectStmt: select, RangeVar: table } = value as Readonly<
      Record<string, Node | undefined>
    >;
    if (select !== undefined) note(select);
    if (table !== undefined) name(table);
    for (const [key, child] of Object.entries(value)) {
      // What an UPDATE or DELETE writes has no node of its own.
      if (key === "relation") name(child as Node);
      // OF names what FROM has.
      if (key !== "lockedRels") visit(child);
    }
  };
  const name = ({ relname }: Node) => {
    if (typeof relname !== "string") return;
    found.named.set(relname, (found.named.get(relname) ?? 0) + 1);
  };
  const note = (select: Node) => {
    found.queries.push(select);
    if (select.lockingClause !== undefined) found.locking.push(select);
  };
  visit(tree);
  return found;
}

/** The only table of a SELECT that gives its rows as they are, those that it could lock. */
function lockedTable(select: Node): Node | undefined {
  const [clause, more] = list(select.lockingClause);
  const { waitPolicy, lockedRels } = (clause?.LockingClause ?? {}) as Node;
  if (more !== undefined || waitPolicy !== "LockWaitSkip") return undefined;
  const [item, another] = list(select.fromClause);
  const table = item?.RangeVar as Node | undefined;
  const others = [
    select.withClause,
    select.groupClause,
    select.distinctClause,
    select.havingClause,
    select.windowClause,
    // It would leave out the first of the rows that are given.
    select.limitOffset,
  ];
  if (
    table === undefined || another !== undefined || isSetOperation(select) ||
    others.some((clause) => clause !== undefined)
  ) return undefined;
  const isOwn = list(lockedRels).every(({ RangeVar }) =>
    (RangeVar as Node).relname === nameOf(table)
  );
  return isOwn ? table : undefined;
}

/** Whether an item of FROM, or one that it joins, has a name, or one that is not told. */
function mayBeCalled(item: unknown, name: string): boolean {
  const [type, { larg, rarg, ...fields }] = unwrap(item);
  if (type === "JoinExpr") {
    return mayBeCalled(larg, name) || mayBeCalled(rarg, name);
  }
  const own = aliasOf(fields);
  return own === undefined || own === name;
}

function skipsLocked(select: Node): boolean {
  return list(select.lockingClause).some(({ LockingClause }) =>
    (LockingClause as Node).waitPolicy === "LockWaitSkip"
  );
}

/** What columns of a table may be qualified with. */
function nameOf({ alias, relname }: Node): string {
  return String((alias as Node | undefined)?.aliasname ?? relname);
}

/** The column by which an UPDATE or DELETE finds the rows that `select` locks, and no others. */
function linkOf(
  type: string,
  body: Node,
  select: Node,
  relation: string,
): string | undefined {
  if (type !== "UpdateStmt" && type !== "DeleteStmt") return undefined;
  const table = body.relation as Node;
  if (keyOfRelation(table) !== relation) return undefined;
  const [cte, ...others] = list((body.withClause as Node | undefined)?.ctes);
  const [source, ...more] = list(body.fromClause ?? body.usingClause);
  if (others.length > 0 || more.length > 0) return undefined;
  const around: Around = {
    select,
    cte: cteOf(cte, select),
    source,
    isUnqualifiedOwn: source === undefined,
    own: nameOf(table),
  };
  const by =
    conjuncts(body.whereClause).flatMap((condition) =>
      linkedBy(condition, around) ?? []
    )[0];
  const isSet = list(body.targetList).some(({ ResTarget }) =>
    (ResTarget as Node).name === by
  );
  return isSet ? undefined : by;
}

interface Around {
  readonly select: Node;
  /** The name of the CTE that the locking SELECT is. */
  readonly cte: string | undefined;
  /** The item of FROM or USING. */
  readonly source: Node | undefined;
  readonly isUnqualifiedOwn: boolean;
  /** The name of the table that is written. */
  readonly own: string;
}

function cteOf(item: Node | undefined, select: Node): string | undefined {
  const { ctename, ctequery, aliascolnames } = (item?.CommonTableExpr ??
    {}) as Node;
  const isIt = unwrap(ctequery)[1] === select && aliascolnames === undefined;
  return isIt ? String(ctename) : undefined;
}

/** The column that a condition holds to those of the locked rows. */
function linkedBy(condition: unknown, around: Around): string | undefined {
  const [type, fields] = unwrap(condition);
  if (type === "SubLink") {
    const isAny = fields.subLinkType === "ANY_SUBLINK" &&
      (fields.operName === undefined || isEqual(fields.operName));
    return isAny
      ? ofQuery(fields.testexpr, fields.subselect, around)
      : undefined;
  }
  if (type !== "A_Expr" || !isEqual(fields.name)) return undefined;
  const { lexpr, rexpr, kind } = fields;
  const isAny = kind === "AEXPR_OP_ANY";
  if (!isAny && kind !== "AEXPR_OP") return undefined;
  const wanted = isAny ? "ARRAY_SUBLINK" : "EXPR_SUBLINK";
  for (
    const [column, value] of isAny ? [[lexpr, rexpr]] : [
      [lexpr, rexpr],
      [rexpr, lexpr],
    ]
  ) {
    const [kind, inner] = unwrap(value);
    const by = kind === "SubLink" && inner.subLinkType === wanted
      ? ofQuery(column, inner.subselect, around)
      : kind === "ColumnRef" && !isAny
      ? ofSource(column, value, around)
      : undefined;
    if (by !== undefined) return by;
  }
  return undefined;
}

/** `id in (select id from … for update skip locked)`, or from the CTE that this is. */
function ofQuery(
  column: unknown,
  query: unknown,
  { select, cte, own, isUnqualifiedOwn }: Around,
): string | undefined {
  const by = columnOf(column, own, isUnqualifiedOwn);
  const inner = unwrap(query)[1];
  const [target, more] = list(inner.targetList);
  if (by === undefined || target === undefined || more !== undefined) {
    return undefined;
  }
  const output = (target.ResTarget as Node).val;
  if (inner === select) {
    const name = nameOf(lockedTable(select) as Node); // it has one
    // For each row that is written other rows would be locked.
    if (name !== own && mentions(select, own)) return undefined;
    return columnOf(output, name) === by ? by : undefined;
  }
  const [item, another] = list(inner.fromClause);
  const source = item?.RangeVar as Node | undefined;
  if (
    source === undefined || another !== undefined || source.relname !== cte ||
    source.schemaname !== undefined || cte === undefined
  ) return undefined;
  const given = columnOf(output, nameOf(source));
  return given !== undefined && outputOf(select, given) === by ? by : undefined;
}

/** Whether a column of the relation that is called `name` is read within. */
function mentions(value: unknown, name: string): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { ColumnRef } = value as { readonly ColumnRef?: Node };
  const parts = list(ColumnRef?.fields);
  if (parts.length > 1 && lastName(parts.slice(0, 1)) === name) return true;
  return Object.values(value).some((inner) => mentions(inner, name));
}

/** `t.id = x.id`, where the other one is of the locking SELECT. */
function ofSource(
  column: unknown,
  other: unknown,
  { select, cte, source, own }: Around,
): string | undefined {
  const [type, fields] = unwrap(source);
  const alias = fields.alias as Node | undefined;
  if (alias?.colnames !== undefined) return undefined;
  const isCte = type === "RangeVar" && cte !== undefined &&
    fields.relname === cte && fields.schemaname === undefined;
  const isQuery = type === "RangeSubselect" &&
    unwrap(fields.subquery)[1] === select && fields.lateral !== true;
  if (!isCte && !isQuery) return undefined;
  const by = columnOf(column, own, false);
  const name = String(alias?.aliasname ?? fields.relname ?? "");
  const given = columnOf(other, name, false);
  if (by === undefined || given === undefined) return undefined;
  return outputOf(select, given) === by ? by : undefined;
}

/** The column of the table that a SELECT gives under a name. */
function outputOf(select: Node, name: string): string | undefined {
  const table = nameOf(lockedTable(select) as Node); // it has one
  const found = list(select.targetList).flatMap(({ ResTarget }) => {
    const { name: own, val } = ResTarget as Node;
    const [type, { fields }] = unwrap(val);
    if (type !== "ColumnRef") return own === name ? [undefined] : [];
    if (unwrap(list(fields).at(-1))[0] === "A_Star") return [name];
    const column = columnOf(val, table);
    return (own ?? lastName(fields)) === name ? [column] : [];
  });
  return found.length === 1 ? found[0] : undefined;
}

/** A column of the relation that is called `own`. */
function columnOf(
  expression: unknown,
  own: string,
  mayBeUnqualified = true,
): string | undefined {
  const [type, { fields }] = unwrap(expression);
  if (type !== "ColumnRef") return undefined;
  const parts = list(fields);
  const isOwn = parts.length === 1
    ? mayBeUnqualified
    : parts.length === 2 && lastName(parts.slice(0, 1)) === own;
  return isOwn ? lastName(parts) || undefined : undefined;
}
