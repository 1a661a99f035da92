import type { Catalog } from "../catalog/mod.ts";
import { describedNames, type KnownColumns, type Reply } from "../judge/mod.ts";
import { STATEMENT_ROWS } from "../record/mod.ts";
import type { RowLocking } from "../sql/mod.ts";
import type { Shape } from "../sql/shape.ts";
import { arrayTypeOf } from "./key_arrays.ts";
import { isFirstRow, isWhole, type ToldRow, toldRows } from "./told_rows.ts";

/** A column of the key by which locked rows are told. */
export interface KeyColumn {
  readonly name: string;
  /** The type as SQL names it. */
  readonly type: string;
  /** The type's OID, in each database the same. */
  readonly typeOid: number;
  /** Its place in the answer; undefined: only the primary's log has it. */
  readonly output: number | undefined;
}

/** By what the rows that a statement has locked are told. */
export interface LockedKey {
  readonly locking: RowLocking;
  readonly columns: readonly KeyColumn[];
  /** Which rows are locked is certain, if nobody else has locks: a unique key sorts them, or there is no LIMIT. */
  readonly isCertain: boolean;
  /** A column stands where `*` is, by its name. */
  readonly isByName: boolean;
}

/**
 * The key of the locked table that a statement's answer has, or, if it chooses
 * rows by its own condition, the primary's log.
 *
 * @returns undefined if there is none, it may be another row's, or the condition
 * says by itself which rows they are.
 */
export function lockedKey(
  locking: RowLocking,
  catalog: Catalog,
): LockedKey | undefined {
  const [oid, ...others] = catalog.oids(locking.relation);
  const all = oid === undefined ? undefined : catalog.columnsOf(oid);
  if (oid === undefined || all === undefined || others.length > 0) {
    return undefined;
  }
  const { by, own, returned, sorted } = locking;
  // Of rows that a rule or a trigger leaves out nobody is told.
  const isUntold = own !== undefined &&
    (catalog.isUnique(oid, own.held) || catalog.leavesOutRows(oid));
  if (isUntold) return undefined;
  // What RETURNING and the log show is what the row has become.
  const changes = by === undefined && own === undefined
    ? undefined
    : catalog.changedByTrigger(oid);
  const isWritten = by !== undefined || own !== undefined;
  const isKept = (column: string) =>
    changes !== "all" && changes?.has(column) !== true &&
    own?.sets.includes(column) !== true &&
    !(isWritten && all.some((one) => one.name === column && one.isGenerated));
  const names = all.map(({ name }) => name);
  const keys = catalog.keysOf(oid)
    .filter((key) =>
      key.every(isKept) &&
      (by === undefined || key.length === 1 && key[0] === by)
    )
    .toSorted((a, b) => a.length - b.length);
  const isShown = (key: readonly string[]) =>
    key.every((name) => placeOf(locking, name, names) !== undefined);
  for (const key of [...keys.filter(isShown), ...keys]) {
    const columns = key.flatMap((name): KeyColumn[] => {
      const column = all.find((one) => one.name === name);
      const output = placeOf(locking, name, names);
      const type = column && catalog.typeText(column.typeOid);
      const typeOid = type === undefined ? undefined : arrayTypeOf(type);
      return output === undefined && own === undefined ||
          type === undefined || typeOid === undefined
        ? []
        : [{ name, type, typeOid, output }];
    });
    if (columns.length < key.length) continue;
    return {
      locking,
      columns,
      isCertain: sorted === undefined || catalog.isUnique(oid, sorted),
      isByName: returned.includes("all"),
    };
  }
  return undefined;
}

/** Where an answer has a column, counted from the front: behind a star columns may be another's. */
function placeOf(
  { returned }: RowLocking,
  column: string,
  names: readonly string[],
): number | undefined {
  const several = returned.findIndex((one) =>
    one === "all" || one === "others"
  );
  const star = returned[several] === "all" ? several : -1;
  const front = several < 0 ? returned : returned.slice(0, several);
  const place = front.findIndex((one) =>
    typeof one === "object" && one.column === column
  );
  if (place >= 0) return place;
  const within = names.indexOf(column);
  return star < 0 || within < 0 ? undefined : star + within;
}

/**
 * The keys of the rows that the primary has locked, by column of the key.
 *
 * @returns undefined if the answer does not tell them all.
 */
export function toldKeys(
  { locking, columns, isByName }: LockedKey,
  reply: Reply | undefined,
  shape: Shape,
  known: KnownColumns,
): readonly ToldRow[] | undefined {
  // Of an UPDATE or DELETE a first row that was asked for is not all that it wrote.
  const isTold = reply !== undefined &&
    (isWhole(reply) || locking.own === undefined && isFirstRow(reply));
  if (!isTold) return undefined;
  if (reply.words[reply.at + STATEMENT_ROWS] === 0) return [];
  if (columns.some(({ output }) => output === undefined)) return undefined;
  const rows = toldRows(reply);
  if (rows === undefined || rows.length === 0) return undefined;
  if (isByName) {
    // The primary may have the columns in another order.
    const names = describedNames(reply.answer) ??
      known.of(shape, reply)?.map(({ name }) => name);
    const areTheSame = columns.every(({ name, output }) =>
      names?.[output as number] === name
    );
    if (!areTheSame) return undefined;
  }
  const keys = rows.map((row) =>
    columns.map(({ output }) => row[output as number])
  );
  return keys.every((key) => !key.includes(undefined)) ? keys : undefined;
}
