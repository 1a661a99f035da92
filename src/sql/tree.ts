import type { Budget } from "./budget.ts";
import { isAggregate } from "./aggregates.ts";

/** A node of libpg_query's tree. */
export type Node = Readonly<Record<string, unknown>>;

/** The last part of a name: `pg_catalog.now` is `now`. */
export function lastName(parts: unknown): string {
  const last = (parts as Node[] | undefined)?.at(-1) as
    | { String?: { sval?: string } }
    | undefined;
  return last?.String?.sval ?? "";
}

/** A node's type and its fields. */
export function unwrap(node: unknown): readonly [type: string, fields: Node] {
  return (Object.entries((node ?? {}) as Node)[0] ?? ["", {}]) as [
    string,
    Node,
  ];
}

/** A list of nodes, which the tree leaves out when it is empty. */
export function list(nodes: unknown): readonly Node[] {
  return Array.isArray(nodes) ? nodes : [];
}

/** Tells which expressions are made of some others, but for literals and the arguments of aggregates. */
export class Mentions {
  readonly #texts = new Set<string>();
  readonly #types = new Set<string>();
  readonly #budget: Budget;

  constructor(others: readonly unknown[], budget: Budget) {
    this.#budget = budget;
    for (const other of others) {
      this.#texts.add(this.#text(other));
      this.#types.add(unwrap(other)[0]);
    }
  }

  /** Whether an expression is made of one of them. */
  areIn(expression: unknown): boolean {
    if (typeof expression !== "object" || expression === null) return false;
    const [type, node] = unwrap(expression);
    if (this.#types.has(type) && this.#texts.has(this.#text(expression))) {
      return true;
    }
    if (type === "FuncCall" && isAggregate(lastName(node.funcname))) {
      return false;
    }
    return Object.values(expression).some((inner) => this.areIn(inner));
  }

  #text(expression: unknown): string {
    const text = literalFree(expression);
    this.#budget.spend(text.length);
    return text;
  }
}

/** What an expression says but for its literals, and for the relations of its columns. */
function literalFree(expression: unknown): string {
  return JSON.stringify(expression, (key, value) => {
    switch (key) {
      case "location":
        return undefined;
      case "A_Const":
      case "ParamRef":
        return null;
      case "ColumnRef":
        return lastName((value as Node).fields);
      default:
        return value;
    }
  });
}

/** A column's name alone: `t.a` is `a`; other expressions are what they say. */
export function bare(expression: unknown): string {
  const [type, fields] = unwrap(expression);
  return type === "ColumnRef" ? lastName(fields.fields) : exactText(expression);
}

/** What an expression says, wherever it stands. */
export function exactText(expression: unknown): string {
  return JSON.stringify(
    expression,
    (key, value) => key === "location" ? undefined : value,
  );
}

/** The same, unless there is a literal in it, which may be another one in the next text of a shape. */
export function toldText(expression: unknown): string | undefined {
  const text = exactText(expression);
  return /"(?:A_Const|ParamRef)"/.test(text) ? undefined : text;
}
