import { lastName, list, type Node, unwrap } from "./tree.ts";
import { natureOfCall } from "./volatile.ts";

/** What is added up in an expression: `sign` times a column, `moment` times the moment, and perhaps constants. */
interface Sum {
  readonly column: readonly string[] | undefined;
  readonly sign: number;
  readonly moment: number;
  readonly isMoved: boolean;
}

const CONSTANT: Sum = {
  column: undefined,
  sign: 0,
  moment: 0,
  isMoved: true,
};
const MOMENT: Sum = { ...CONSTANT, moment: 1, isMoved: false };

/** What an expression adds up. @returns undefined: it is of another kind. */
export function termOf(expression: unknown): Sum | undefined {
  if (isMoment(expression)) return MOMENT;
  const [type, fields] = unwrap(expression);
  switch (type) {
    case "ColumnRef": {
      const column = pathOf(expression);
      return column && { ...CONSTANT, column, sign: 1, isMoved: false };
    }
    case "A_Const":
    case "ParamRef":
      return CONSTANT;
    case "A_Expr": {
      const operator = lastName(fields.name);
      const [left, right] = [termOf(fields.lexpr), termOf(fields.rexpr)];
      if (operator === "+" || operator === "-") {
        return added(left, right, operator === "+" ? 1 : -1);
      }
      return isConstant(left) && isConstant(right) ? CONSTANT : undefined;
    }
    case "TypeCast":
      return isConstant(termOf(fields.arg)) ? CONSTANT : undefined;
    case "FuncCall": {
      const name = lastName(fields.funcname);
      const args = list(fields.args);
      if (natureOfCall(name, args.length) !== undefined) return undefined;
      const terms = args.map(termOf);
      if (terms.every(isConstant)) return CONSTANT;
      // now() at time zone 'utc': which zone the column has is not seen here.
      const isMoved = name === "timezone" && isConstant(terms[0]) &&
        args.length === 2 && isMoment(args[1]);
      return isMoved ? { ...MOMENT, isMoved } : undefined;
    }
    case "NamedArgExpr":
      return termOf(fields.arg);
  }
  return undefined;
}

function isConstant(sum: Sum | undefined): boolean {
  return sum !== undefined && sum.column === undefined && sum.moment === 0;
}

/** `a`, and `times` times `b`; undefined: they are more than one column. */
export function added(
  a: Sum | undefined,
  b: Sum | undefined,
  times: 1 | -1,
): Sum | undefined {
  if (a === undefined || b === undefined) return undefined;
  if (a.column !== undefined && b.column !== undefined) return undefined;
  return {
    column: a.column ?? b.column,
    sign: a.sign + times * b.sign,
    moment: a.moment + times * b.moment,
    isMoved: a.isMoved || b.isMoved,
  };
}

/** Functions that tell the moment without an argument. */
export const MOMENTS: ReadonlySet<string> = new Set([
  "now",
  "transaction_timestamp",
  "statement_timestamp",
  "clock_timestamp",
]);

/** Whether an expression is the moment, to the microsecond. */
function isMoment(expression: unknown): boolean {
  const [type, fields] = unwrap(expression);
  switch (type) {
    case "SQLValueFunction":
      return /^SVFOP_(?:CURRENT|LOCAL)_?TIMESTAMP/.test(String(fields.op));
    case "FuncCall":
      return MOMENTS.has(lastName(fields.funcname)) &&
        list(fields.args).length === 0;
    case "TypeCast": {
      const { names } = fields.typeName as Node;
      return /^timestamp(?:tz)?$/.test(lastName(names)) &&
        isMoment(fields.arg);
    }
  }
  return false;
}

/** A column's names; undefined: it is none, or a star. */
export function pathOf(expression: unknown): readonly string[] | undefined {
  const [type, { fields }] = unwrap(expression);
  if (type !== "ColumnRef") return undefined;
  const path = list(fields).map((field) => lastName([field]));
  return path.includes("") ? undefined : path;
}
