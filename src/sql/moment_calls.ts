import { lastName, list, type Node, unwrap } from "./tree.ts";
import { natureOfCall, TIME_LITERAL } from "./volatile.ts";

/** Where a statement asks for the moment, so that its conditions can be held against another one. */
export interface MomentCalls {
  /** For each place in the text's order whether it is in a condition. */
  readonly places: readonly boolean[];
  /** When the moment is: at the transaction's begin, or the statement's. */
  readonly of: "transaction" | "statement";
  /** Names of the columns that stand beside it there. */
  readonly columns: readonly string[];
}

const STATEMENTS: ReadonlySet<string> = new Set([
  "SelectStmt",
  "InsertStmt",
  "UpdateStmt",
  "DeleteStmt",
]);
const OF_TRANSACTION: ReadonlySet<string> = new Set([
  "now",
  "transaction_timestamp",
]);
const OF_STATEMENT: ReadonlySet<string> = new Set([
  "statement_timestamp",
  "clock_timestamp",
]);
/** Words that are a type of the moment's own. */
const WORDS: ReadonlySet<unknown> = new Set([
  "SVFOP_CURRENT_TIMESTAMP",
  "SVFOP_LOCALTIMESTAMP",
  "SVFOP_CURRENT_DATE",
]);
/** Clauses whose expressions have to be those of the select list. */
const GROUPING: ReadonlySet<string> = new Set([
  "groupClause",
  "distinctClause",
  "windowClause",
  "sortClause",
]);
/** What gives columns their values. */
const VALUES: ReadonlySet<string> = new Set(["valuesLists", "targetList"]);

/**
 * Reads a statement by its node's type and fields.
 *
 * @returns undefined: it never asks for the moment, or not in a way that can be moved.
 */
export function momentCalls(type: string, body: Node): MomentCalls | undefined {
  if (!STATEMENTS.has(type)) return undefined;
  const walk = new Walk();
  walk.look({ [type]: body }, {
    isValue: false,
    isOutput: false,
    beside: undefined,
  });
  const { found, columns, isBound } = walk;
  const [first] = found;
  if (isBound || first === undefined) return undefined;
  if (found.some(({ of }) => of !== first.of)) return undefined;
  if (!found.some(({ isFree }) => isFree)) return undefined;
  const places = found.toSorted((a, b) => a.at - b.at)
    .map(({ isFree }) => isFree);
  return { places, of: first.of, columns: [...columns] };
}

interface Around {
  /** What the expression gives is stored … */
  readonly isValue: boolean;
  /** … or shown. */
  readonly isOutput: boolean;
  /** The condition that it is a part of. */
  readonly beside: unknown;
}

class Walk {
  readonly found: { at: number; isFree: boolean; of: MomentCalls["of"] }[] = [];
  readonly columns = new Set<string>();
  /** Something asks for the moment that can't be moved. */
  isBound = false;
  /** Conditions whose columns are named. */
  readonly #named = new Set<unknown>();

  look(tree: unknown, around: Around): void {
    if (typeof tree !== "object" || tree === null) return;
    if (Array.isArray(tree)) {
      for (const one of tree) this.look(one, around);
      return;
    }
    for (const [type, node] of Object.entries(tree as Node)) {
      this.#node(type, node as Node, around);
    }
  }

  #node(type: string, node: Node, around: Around): void {
    switch (type) {
      case "UpdateStmt":
      case "onConflictClause":
        return this.#writing(node, around);
      case "InsertStmt": {
        const { selectStmt, ...rest } = node;
        const { SelectStmt } = (selectStmt ?? {}) as { SelectStmt?: Node };
        this.look(rest, around);
        return this.#writing(SelectStmt ?? {}, around);
      }
      case "targetList":
      case "exprs":
        return list(node).forEach((target) => this.#target(target, around));
      case "FuncCall":
        return this.#call(node, around);
      case "SQLValueFunction":
        if (WORDS.has(node.op)) this.#put(node, "transaction", around);
        else if (/TIME/.test(String(node.op))) this.isBound = true;
        return;
      case "TypeCast": {
        const { A_Const } = (node.arg ?? {}) as {
          readonly A_Const?: { readonly sval?: { readonly sval?: string } };
        };
        if (TIME_LITERAL.test(A_Const?.sval?.sval ?? "")) this.isBound = true;
        break;
      }
      case "A_Expr": {
        const beside = around.beside ?? node;
        return this.look(node, { ...around, beside });
      }
      case "BoolExpr":
        return this.look(node, { ...around, beside: undefined });
    }
    const before = this.found.length;
    this.look(node, around);
    if (GROUPING.has(type) && this.found.length > before) this.isBound = true;
  }

  #writing(node: Node, around: Around): void {
    for (const [type, part] of Object.entries(node)) {
      const isValue = around.isValue || VALUES.has(type);
      this.#node(type, part as Node, { ...around, isValue });
    }
  }

  /** A column of an answer is moved whole, or not at all. */
  #target(target: Node, around: Around): void {
    const before = this.found.length;
    this.look(target, { ...around, isOutput: true });
    const found = this.found.slice(before);
    if (
      found.some(({ isFree }) => isFree) && found.some(({ isFree }) => !isFree)
    ) this.isBound = true;
  }

  #call(node: Node, around: Around): void {
    const names = list(node.funcname);
    const name = lastName(names);
    const args = list(node.args);
    const isServers = names.length === 1 ||
      lastName(names.slice(0, -1)) === "pg_catalog";
    if (natureOfCall(name, args.length) !== "time") {
      return this.look(node, around);
    }
    const of = OF_TRANSACTION.has(name)
      ? "transaction"
      : OF_STATEMENT.has(name)
      ? "statement"
      : undefined;
    if (of === undefined || !isServers || args.length > 0) this.isBound = true;
    else this.#put(node, of, around);
  }

  #put(node: Node, of: MomentCalls["of"], around: Around): void {
    const { isValue, isOutput, beside } = around;
    const isFree = beside !== undefined && !isValue;
    this.found.push({ at: Number(node.location ?? 0), isFree, of });
    // An argument of a function that decides which rows there are.
    if (!isFree && !isValue && !isOutput) this.isBound = true;
    if (!isFree || this.#named.has(beside)) return;
    this.#named.add(beside);
    this.#nameColumns(beside);
  }

  #nameColumns(tree: unknown): void {
    if (typeof tree !== "object" || tree === null) return;
    const [type, fields] = unwrap(tree);
    if (type === "ColumnRef") this.columns.add(lastName(fields.fields));
    else for (const one of Object.values(tree)) this.#nameColumns(one);
  }
}
