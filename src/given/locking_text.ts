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
  { locking, columns }: LockedKey,
  array: (column: number) => string,
  mayBeNull: boolean,
): string {
  const names = columns.map(({ name }) =>
    `${quoted(locking.alias)}.${quoted(name)}`
  );
  const arrays = columns.map(({ type }, i) => `${array(i)}::${type}[]`);
  const isIn = columns.length === 1
    ? `${names[0]} = ANY (${arrays[0]})`
    : `(${names.join(", ")}) IN (SELECT * FROM unnest(${arrays.join(", ")}))`;
  return mayBeNull ? `(${arrays[0]} IS NULL OR ${isIn})` : isIn;
}

/**
 * Writes what chooses rows so that it takes those of a condition only, and waits
 * for them in place of SKIP LOCKED: another lane may be about to let go of them.
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
  if (skipLocked !== undefined) edits.push({ ...skipLocked, text: "" });
  return spliced(bytes, from, to, edits);
}

/** Whether a text that was written is the client's with the condition, without SKIP LOCKED where the choice is not its own, and nothing more. */
export function isLockingProved(
  before: Uint8Array,
  after: Uint8Array,
  isTaken: string,
  isOwn: boolean,
): boolean {
  try {
    const [old, written] = [before, after].map((bytes) =>
      parsed(decoder.decode(bytes.slice()))
    );
    const select = parsed(`select where ${isTaken}`)?.SelectStmt as Tree;
    if (old === undefined || written === undefined) return false;
    const expected = isOwn
      ? withOwnCondition(old, select.whereClause)
      : withCondition(old, select.whereClause);
    return text(expected) === text(written);
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
  return {
    ...both(inner, isTaken),
    lockingClause: [{
      LockingClause: { ...clause.LockingClause, waitPolicy: "LockWaitBlock" },
    }],
  };
}

/** The tree of an UPDATE or DELETE that takes rows of its condition and of another one. */
function withOwnCondition(tree: Tree, isTaken: unknown): Tree {
  return Object.fromEntries(
    Object.entries(tree).map(([type, fields]) => [
      type,
      both(fields as Tree, isTaken),
    ]),
  );
}

function both({ whereClause, ...rest }: Tree, isTaken: unknown): Tree {
  const args = [isTaken, whereClause];
  return {
    ...rest,
    whereClause: whereClause === undefined
      ? isTaken
      : { BoolExpr: { boolop: "AND_EXPR", args } },
  };
}
