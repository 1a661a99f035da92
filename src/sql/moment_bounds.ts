import { added, pathOf, termOf } from "./moment_terms.ts";
import { lastName, list, type Node, unwrap } from "./tree.ts";
import { natureOfCall, TIME_LITERAL } from "./volatile.ts";

/**
 * A column of the answer that WHERE holds against the moment:
 * `expires_at > now()`. A row comes or goes when the moment passes its value.
 */
export interface MomentBound {
  /** The column's name in the answer. */
  readonly output: string;
  /** Rows have later values than the bound; false: earlier ones. */
  readonly isLater: boolean;
  /** The bound is the moment itself; false: so long before or after it as a literal or a parameter says. */
  readonly isMoment: boolean;
}

/**
 * The bounds by which alone the moment decides which rows a SELECT gives.
 *
 * @returns undefined: there is none, it decides in other ways, too, or a bound's column is not in the answer.
 */
export function momentBounds(
  select: Node,
): readonly MomentBound[] | undefined {
  if (!givesRowsAlone(select)) return undefined;
  const { targetList, ...clauses } = select;
  const targets = list(targetList).map(({ ResTarget }) => ResTarget as Node);
  const all = moments(clauses);
  if (all === 0) return undefined;
  const [item, ...others] = list(select.fromClause);
  const isOne = others.length === 0 && item?.JoinExpr === undefined;
  const bounds: MomentBound[] = [];
  let known = 0;
  for (const condition of conjuncts(select.whereClause)) {
    const found = moments(condition);
    if (found === 0) continue;
    const held = comparisonsIn(condition);
    if (held === undefined) return undefined;
    for (const { column, isLater, isMoment } of held) {
      const output = outputOf(column, targets, isOne);
      if (output === undefined) return undefined;
      bounds.push({ output, isLater, isMoment });
    }
    known += found;
  }
  return known === all ? bounds : undefined;
}

/** Whether it gives the rows that WHERE leaves, each by itself. */
function givesRowsAlone(select: Node): boolean {
  const targets = JSON.stringify(select.targetList ?? []);
  return select.op === "SETOP_NONE" &&
    ["groupClause", "havingClause", "distinctClause", "limitOffset"].every(
      (clause) => select[clause] === undefined,
    ) &&
    // Of windows and aggregates a row tells of others, and a function may give several rows.
    !/"over":|"agg_/.test(targets) && !asksInCall(select.targetList);
}

/** Whether a function, other than those that tell it, is given the moment. */
function asksInCall(tree: unknown): boolean {
  if (typeof tree !== "object" || tree === null) return false;
  return Object.entries(tree).some(([type, node]) =>
    type === "FuncCall" && !asks(type, node as Node)
      ? moments(node) > 0
      : asksInCall(node)
  );
}

function conjuncts(condition: unknown): readonly unknown[] {
  const [type, { boolop, args }] = unwrap(condition);
  return type === "BoolExpr" && boolop === "AND_EXPR"
    ? list(args).flatMap(conjuncts)
    : [condition];
}

/** A column, by its names, held against the moment. */
interface Comparison extends Pick<MomentBound, "isLater" | "isMoment"> {
  /** Its path. */
  readonly column: readonly string[];
}

/** @returns undefined: it is more than a comparison of columns with the moment. */
function comparisonsIn(condition: unknown): readonly Comparison[] | undefined {
  const [type, fields] = unwrap(condition);
  if (type === "BoolExpr" && fields.boolop === "OR_EXPR") {
    return unlessNull(list(fields.args));
  }
  if (type !== "A_Expr") return undefined;
  const { kind, name, lexpr, rexpr } = fields;
  if (kind === "AEXPR_OP") {
    const held = comparison(lexpr, lastName(name), rexpr);
    return held && [held];
  }
  if (kind !== "AEXPR_BETWEEN") return undefined;
  const [from, to] = list(
    (rexpr as Node | undefined)?.List
      ? ((rexpr as Node).List as Node).items
      : rexpr,
  );
  const sides = [[">=", from], ["<=", to]] as const;
  const held = sides.flatMap(([operator, side]) =>
    moments([lexpr, side]) === 0 ? [] : [comparison(lexpr, operator, side)]
  );
  return held.every((one) => one !== undefined) ? held : undefined;
}

/** `expires_at is null or expires_at > now()` */
function unlessNull(
  args: readonly unknown[],
): readonly Comparison[] | undefined {
  const [tests, others] = [true, false].map((isTest) =>
    args.filter((arg) => (unwrap(arg)[0] === "NullTest") === isTest)
  ) as [unknown[], unknown[]];
  const held = others.length === 1 ? comparisonsIn(others[0]) : undefined;
  const columns = held?.map(({ column }) => column.at(-1));
  const areOfIt = tests.every((test) => {
    const { nulltesttype, arg } = unwrap(test)[1];
    const path = pathOf(arg);
    return nulltesttype === "IS_NULL" && path !== undefined &&
      columns?.includes(path.at(-1));
  });
  return areOfIt ? held : undefined;
}

function comparison(
  left: unknown,
  operator: string,
  right: unknown,
): Comparison | undefined {
  if (!/^[<>]=?$/.test(operator)) return undefined;
  const sum = added(termOf(left), termOf(right), -1);
  if (sum?.column === undefined || sum.moment * sum.sign !== -1) {
    return undefined;
  }
  return {
    column: sum.column,
    isLater: operator.startsWith(">") === sum.sign > 0,
    isMoment: !sum.isMoved,
  };
}

/** How often an expression asks for the moment. */
function moments(tree: unknown): number {
  if (typeof tree !== "object" || tree === null) return 0;
  if (Array.isArray(tree)) {
    return tree.reduce((sum, one) => sum + moments(one), 0);
  }
  return Object.entries(tree as Node).reduce(
    (sum, [type, node]) => sum + (asks(type, node as Node) ? 1 : moments(node)),
    0,
  );
}

function asks(type: string, fields: Node): boolean {
  switch (type) {
    case "FuncCall": {
      const nature = natureOfCall(
        lastName(fields.funcname),
        list(fields.args).length,
      );
      return nature === "time";
    }
    case "SQLValueFunction":
      return /DATE|TIME/.test(String(fields.op));
    case "TypeCast": {
      const { A_Const } = (fields.arg ?? {}) as {
        readonly A_Const?: { readonly sval?: { readonly sval?: string } };
      };
      return TIME_LITERAL.test(A_Const?.sval?.sval ?? "");
    }
  }
  return false;
}

function isStar({ val }: Node): boolean {
  const [type, { fields }] = unwrap(val);
  return type === "ColumnRef" && list(fields).at(-1)?.A_Star !== undefined;
}

/** The name that a column has in the answer; undefined: it is not there, perhaps. */
function outputOf(
  column: readonly string[],
  targets: readonly Node[],
  isOne: boolean,
): string | undefined {
  const name = column.at(-1) as string; // a path is not empty
  const relation = column.at(-2);
  for (const target of targets) {
    const path = pathOf(target.val);
    const isIt = path?.at(-1) === name &&
      (relation ?? path.at(-2)) === (path.at(-2) ?? relation);
    if (isIt) return target.name === undefined ? name : String(target.name);
    if (!isStar(target)) continue;
    const of = lastName(
      list(unwrap(target.val)[1].fields).slice(0, -1),
    );
    if (of === "" || isOne || of === relation) return name;
  }
  return undefined;
}
