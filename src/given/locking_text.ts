import { parseSync } from "libpg-query";
import type { LockedKey } from "./locked_key.ts";
import type { LockingPlaces } from "./locking_places.ts";
import { text, type Tree } from "./proof.ts";
import { type Edit, quoted, spliced } from "./texts.ts";

const decoder = new TextDecoder();

/**
 * A condition that takes the rows with given keys.
 *
 * @param array stands for the values of the key's n-th column: a parameter or a literal.
 * @param mayBeNull all rows are taken where it is NULL.
 */
export function keyCondition(
  { read, columns }: LockedKey,
  array: (column: number) => string,
  mayBeNull: boolean,
): string {
  const names = columns.map(({ name }) =>
    `${quoted(read.alias)}.${quoted(name)}`
  );
  const arrays = columns.map(({ type }, i) => `${array(i)}::${type}[]`);
  const isIn = columns.length === 1
    ? `${names[0]} = ANY (${arrays[0]})`
    : `(${names.join(", ")}) IN (SELECT * FROM unnest(${arrays.join(", ")}))`;
  return mayBeNull ? `(${arrays[0]} IS NULL OR ${isIn})` : isIn;
}

/**
 * Writes a SELECT … SKIP LOCKED so that it takes rows of a condition only, and
 * waits for them: another lane may be about to let go of them.
 *
 * @param bytes SQL text in `bytes[from, to)`.
 */
export function lockingText(
  bytes: Uint8Array,
  from: number,
  to: number,
  { condition, behindFrom, skipLocked }: LockingPlaces,
  isTaken: string,
): Uint8Array<ArrayBuffer> {
  const edits: Edit[] = condition === undefined
    ? [{ from: behindFrom, to: behindFrom, text: ` WHERE ${isTaken}` }]
    : [
      { from: condition.from, to: condition.from, text: `${isTaken} AND (` },
      { from: condition.to, to: condition.to, text: ")" },
    ];
  edits.push({ ...skipLocked, text: "" });
  return spliced(bytes, from, to, edits);
}

/** Whether a text that was written is the client's with the condition, and without SKIP LOCKED, and nothing more. */
export function isLockingProved(
  before: Uint8Array,
  after: Uint8Array,
  isTaken: string,
): boolean {
  try {
    const [old, written] = [before, after].map((bytes) =>
      parsed(decoder.decode(bytes.slice()))
    );
    const select = parsed(`select where ${isTaken}`)?.SelectStmt as Tree;
    return old !== undefined && written !== undefined &&
      text(withCondition(old, select.whereClause)) === text(written);
  } catch {
    // The text does not parse.
    return false;
  }
}

function parsed(sql: string): Tree | undefined {
  const { stmts = [] } = parseSync(sql) as { stmts?: { stmt: Tree }[] };
  return stmts.length === 1 ? stmts[0]?.stmt : undefined;
}

/** A tree in which the queries that skip locked rows take those of the condition, and wait. */
function withCondition(tree: unknown, isTaken: unknown): unknown {
  if (typeof tree !== "object" || tree === null) return tree;
  if (Array.isArray(tree)) {
    return tree.map((item) => withCondition(item, isTaken));
  }
  const inner = Object.fromEntries(
    Object.entries(tree).map(([key, value]) => [
      key,
      withCondition(value, isTaken),
    ]),
  );
  const [clause] = (inner.lockingClause ?? []) as { LockingClause: Tree }[];
  if (clause?.LockingClause.waitPolicy !== "LockWaitSkip") return inner;
  const { whereClause, ...rest } = inner;
  const args = [isTaken, whereClause];
  return {
    ...rest,
    whereClause: whereClause === undefined
      ? isTaken
      : { BoolExpr: { boolop: "AND_EXPR", args } },
    lockingClause: [{
      LockingClause: { ...clause.LockingClause, waitPolicy: "LockWaitBlock" },
    }],
  };
}
