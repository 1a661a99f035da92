import { Budget } from "./budget.ts";
import { Names } from "./names.ts";
import type { Output } from "./trait.ts";
import { type Node, unwrap } from "./tree.ts";

/**
 * In what each output column of a statement may differ on an equal server.
 *
 * @returns undefined: it has none, or nothing is known of them.
 * @throws {TooLargeError} It takes more than the budget.
 */
export function outputsOf(
  stmt: Node,
  budget: Budget = new Budget(),
): readonly Output[] | undefined {
  const [type] = unwrap(stmt);
  switch (type) {
    case "SelectStmt":
    case "InsertStmt":
    case "UpdateStmt":
    case "DeleteStmt":
    case "MergeStmt":
      return Names.of(stmt, budget);
    default:
      return undefined;
  }
}
