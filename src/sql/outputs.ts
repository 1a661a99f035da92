import { Budget } from "./budget.ts";
import { Names, type NamesFound } from "./names.ts";
import { keyOfRelation } from "./relation_key.ts";
import { type Output, STRICT } from "./trait.ts";
import { lastName, list, type Node, unwrap } from "./tree.ts";

/** Of a statement without names. */
const NOTHING: Omit<NamesFound, "outputs"> = {
  draws: [],
  sortedBy: [],
};

/**
 * What the names of a statement tell: in what each output column may differ on
 * an equal server, and what it writes.
 *
 * @param isOuter it is no query within another one.
 * @returns outputs undefined: it has none, or nothing is known of them.
 * @throws {TooLargeError} It takes more than the budget.
 */
export function namesOf(
  stmt: Node,
  budget: Budget = new Budget(),
  isOuter = true,
): Omit<NamesFound, "outputs"> & Partial<Pick<NamesFound, "outputs">> {
  const [type, node] = unwrap(stmt);
  switch (type) {
    case "SelectStmt":
    case "InsertStmt":
    case "UpdateStmt":
    case "DeleteStmt":
    case "MergeStmt":
      return Names.of(stmt, budget, isOuter);
    case "CopyStmt":
      return node.is_from === true ? copied(node) : NOTHING;
    default:
      return NOTHING;
  }
}

/** Output columns alone. */
export function outputsOf(
  stmt: Node,
  budget?: Budget,
): readonly Output[] | undefined {
  return namesOf(stmt, budget).outputs;
}

function copied({ relation, attlist }: Node): Omit<NamesFound, "outputs"> {
  const given = list(attlist).map((name) =>
    [lastName([name]), STRICT] as const
  );
  return {
    ...NOTHING,
    draws: [{
      relation: keyOfRelation(relation as Node),
      write: {
        inserts: true,
        named: new Map(given),
        positional: [],
        ...(given.length === 0 ? { isWhole: true as const } : {}),
      },
    }],
  };
}
