import { keyOfRelation } from "./relation_key.ts";
import { lastName, list, type Node, unwrap } from "./tree.ts";
import { natureOfCall } from "./volatile.ts";

/** A column that an UPDATE sets to what chance, and no row, decides: `now()`, `gen_random_uuid()`, `nextval('s')`. */
export interface ChanceSet {
  readonly column: string;
  /** Its place in SET. */
  readonly item: number;
  readonly isSequence: boolean;
}

/** An UPDATE, and what of it chance decides. */
export interface Updating {
  /** The relation's key. */
  readonly relation: string;
  /** What SET has. */
  readonly items: number;
  readonly sets: readonly ChanceSet[];
}

/** Reads a statement by its node's type and fields; undefined: it sets nothing by chance. */
export function updatingOf(type: string, node: Node): Updating | undefined {
  if (type !== "UpdateStmt" || node.withClause !== undefined) return undefined;
  const set = chanceSets(node.targetList);
  return set && { relation: keyOfRelation(node.relation as Node), ...set };
}

/** What SET has; undefined: it sets nothing by chance. */
export function chanceSets(
  targetList: unknown,
): Omit<Updating, "relation"> | undefined {
  const targets = list(targetList).map(({ ResTarget }) => ResTarget as Node);
  // A part of a column, or `(a, b) = …`.
  const isPlain = targets.every(({ indirection, val }) =>
    indirection === undefined && unwrap(val)[0] !== "MultiAssignRef"
  );
  if (!isPlain) return undefined;
  const sets = targets.flatMap(({ name, val }, item): ChanceSet[] => {
    const chance = chanceOf(val);
    if (chance === undefined) return [];
    const isSequence = chance === "sequence";
    return [{ column: String(name), item, isSequence }];
  });
  return sets.length === 0 ? undefined : { items: targets.length, sets };
}

/** What chance, and no row, decides of an expression; undefined: rows have a part in it, or chance has none. */
export function chanceOf(
  expression: unknown,
): "sequence" | "chance" | undefined {
  const found = new Set<string>();
  if (!isMadeOfCalls(expression, found) || found.size === 0) return undefined;
  return found.has("nextval") ? "sequence" : "chance";
}

/** Expressions that read no row and no query. */
const PLAIN = new Set(["A_Const", "ParamRef", "TypeName", "String", "Integer"]);

/** Whether an expression consists of the server's functions, operators, constants and parameters. @param found takes those functions that chance decides. */
function isMadeOfCalls(expression: unknown, found: Set<string>): boolean {
  const [type, fields] = unwrap(expression);
  switch (type) {
    case "SQLValueFunction": {
      const isTime = /^SVFOP_(CURRENT_(DATE|TIME)|LOCALTIME)/.test(
        String(fields.op),
      );
      if (isTime) found.add("now");
      return isTime;
    }
    case "FuncCall": {
      const name = lastName(fields.funcname);
      const args = list(fields.args);
      const nature = natureOfCall(name, args.length);
      if (nature === "choice" || name === "setval") return false;
      // Of any other function of the server the arguments decide. Where a user's is called nothing is found in the log.
      if (nature !== undefined) found.add(name);
      return args.every((arg) => isMadeOfCalls(arg, found));
    }
    case "TypeCast":
      return isMadeOfCalls(fields.arg, found);
    case "A_Expr":
      return [fields.lexpr, fields.rexpr].every((side) =>
        side === undefined || isMadeOfCalls(side, found)
      );
    default:
      return PLAIN.has(type);
  }
}
