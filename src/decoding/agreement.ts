import type { Catalog } from "../catalog/mod.ts";
import { LEFT_OUT, type LoggedRelations } from "../given/mod.ts";
import { areOther } from "../judge/mod.ts";
import { type Insertion, writtenValue } from "../sql/mod.ts";
import type { DecodedTransaction } from "./decoded_transaction.ts";
import type { Trace, WrittenRows } from "./trace.ts";
import {
  type DecodedChange,
  type DecodedRow,
  decodedRow,
} from "./test_decoding.ts";
import { isOtherThanTold } from "./told_values.ts";
import { valuesPlaces } from "./values_places.ts";

/** The rows that a statement wrote, in the order in which it wrote them, with LEFT_OUT for a row of VALUES that it did not write if which ones it wrote is known; undefined: which they are is not known. */
export type WrittenInLog = ReadonlyMap<
  WrittenRows,
  readonly (DecodedRow | undefined)[] | undefined
>;

/** What a transaction of the log has of a client's. */
export interface Agreement {
  readonly written: WrittenInLog;
  /** What triggers inserted into relations that they did nothing else to, and no statement wrote. */
  readonly behind: LoggedRelations;
}

const FITS: Readonly<
  Record<WrittenRows["kinds"], readonly DecodedChange["kind"][]>
> = {
  insert: ["insert"],
  upsert: ["insert", "update"],
  update: ["update"],
  delete: ["delete"],
  any: ["insert", "update", "delete"],
};

/**
 * Holds a transaction of a client against one of the log.
 *
 * @returns undefined if they contradict each other: other relations, other
 * numbers of rows, other values.
 */
export function agreement(
  { writes, named }: Trace,
  { changes }: DecodedTransaction,
  catalog: Catalog,
): Agreement | undefined {
  const behind = new Map<string, DecodedChange[]>();
  const familyOf = families(catalog);
  const byFamily = new Map<string, DecodedChange[]>();
  const own = new Set(writes.map(({ oid }) => familyOf(oid)));
  for (const change of changes) {
    const [oid, other] = catalog.oids(change.relation);
    if (oid === undefined || other !== undefined) return undefined;
    // A row's own relation may be a partition, or an heir.
    const family = familyOf(oid);
    if (own.has(family)) push(byFamily, family, change);
    else if (isBehind(change, named, catalog)) push(behind, oid, change);
    else return undefined;
  }
  const found = new Map<
    WrittenRows,
    readonly (DecodedRow | undefined)[] | undefined
  >();
  for (
    const [family, list] of Map.groupBy(writes, ({ oid }) => familyOf(oid))
  ) {
    const logged = byFamily.get(family) ?? [];
    const count = list.reduce((sum, one) => sum + one.count, 0);
    if (logged.length < count) return undefined;
    if (!isAlone(list, named, catalog)) {
      for (const written of list) found.set(written, undefined);
      continue;
    }
    if (logged.length > count) {
      if (!list.some(({ isOpen }) => isOpen)) return undefined;
      // Which of them has written more is not known.
      if (list.length > 1) {
        for (const written of list) found.set(written, undefined);
        continue;
      }
    }
    let at = 0;
    for (const written of list) {
      const { isOpen, count } = written;
      const part = logged.slice(at, isOpen ? undefined : at + count);
      at += part.length;
      const rows = part.map(decodedRow);
      const fits = part.every((change) => isOf(change, written, catalog));
      const known = fits ? knownRows(written, rows, part, catalog) : undefined;
      if (known === undefined) return undefined;
      found.set(written, known);
    }
  }
  return { written: found, behind: insertedBehind(behind) };
}

/** Whether a statement may have written such a row. */
function isOf(
  { kind, relation }: DecodedChange,
  { oid, kinds }: WrittenRows,
  catalog: Catalog,
): boolean {
  if (!FITS[kinds].includes(kind)) return false;
  const [holder = ""] = catalog.oids(relation);
  return catalog.holdersOf(oid, kind === "insert").has(holder);
}

function push(
  map: Map<string, DecodedChange[]>,
  oid: string,
  change: DecodedChange,
): void {
  const list = map.get(oid);
  if (list === undefined) map.set(oid, [change]);
  else list.push(change);
}

function insertedBehind(
  behind: ReadonlyMap<string, readonly DecodedChange[]>,
): LoggedRelations {
  const found = [...behind].filter(([, changes]) =>
    changes.every(({ kind }) => kind === "insert")
  );
  return new Map(found.map(([oid, changes]) => {
    const [schema = "", name = ""] = changes[0]?.relation.split("\0") ?? [];
    return [oid, { name: [schema, name], rows: changes.map(decodedRow) }];
  }));
}

/** Whether triggers, rules and cascades of what was named may have written it. */
function isBehind(
  { kind, relation }: DecodedChange,
  named: Trace["named"],
  catalog: Catalog,
): boolean {
  return kind !== "truncate" &&
    writersOf(relation, catalog).some((writer) => named.has(writer));
}

/** By a relation's OID one that all have whose rows are also its own, or its own also theirs. */
function families(catalog: Catalog): (oid: string) => string {
  const known = new Map<string, string>();
  return (oid) => {
    let family = known.get(oid);
    if (family === undefined) {
      [family = oid] = [...catalog.familyOf(oid)].toSorted();
      known.set(oid, family);
    }
    return family;
  };
}

/** Whether nothing but these statements has written the relations of their family. */
function isAlone(
  list: readonly WrittenRows[],
  named: Trace["named"],
  catalog: Catalog,
): boolean {
  const names = new Set(list.flatMap(({ shape }) => shape.writes));
  const isLed = [...names].some((name) => {
    const writers = writersOf(name, catalog);
    return writers.some((writer) => {
      const write = names.has(writer) ? undefined : named.get(writer);
      return write !== undefined && catalog.leads(writer, write, writers);
    });
  });
  return !isLed &&
    list.every(({ oid, shape: { writes: [name = ""] } }) =>
      catalog.keepsFamily(oid, named.get(name))
    );
}

/** The relations that, being written, may write this one, without schemas. */
function writersOf(relation: string, catalog: Catalog): readonly string[] {
  const name = relation.slice(relation.indexOf("\0") + 1);
  return catalog.writersOf({ reads: [name], calls: [] });
}

/** The rows, where VALUES has more of them at its places; undefined: one has another value than is known of it. */
function knownRows(
  { oid, pinned, written, told, shape }: WrittenRows,
  rows: readonly (DecodedRow | undefined)[],
  changes: readonly DecodedChange[],
  catalog: Catalog,
): readonly (DecodedRow | undefined)[] | undefined {
  const columns = catalog.columnsOf(oid) ?? [];
  const names = columns.map(({ name }) => name);
  const typeOf = (column: string) =>
    columns.find(({ name }) => name === column)?.typeOid;
  const changed = catalog.changedByTrigger(oid);
  const isChanged = (column: string) =>
    changed === "all" || changed?.has(column);
  const ofRow = Map.groupBy(
    [...pinned ?? [], ...written ?? []],
    ({ column }) => rowOf(column),
  );
  const ofAll = ofRow.get(undefined) ?? [];
  const loggedIn = (row: DecodedRow | undefined, column: string) => {
    const text = row?.get(column);
    return typeof text === "string" ? { isBinary: false, text } : undefined;
  };
  const isPossible = (i: number, place: number) => {
    const isUpdated = changes[i]?.kind === "update";
    return [...ofAll, ...ofRow.get(place) ?? []].every((value) => {
      const { insertion } = shape;
      const column = columnOf(value.column, place, isUpdated, insertion, names);
      if (column === undefined || isChanged(column)) return true;
      const logged = loggedIn(rows[i], column);
      return !logged || !areOther(value, logged, typeOf(column));
    });
  };
  const isToldOther = (row: DecodedRow | undefined, i: number) =>
    [...told?.[i] ?? []].some(([column, text]) => {
      const logged = loggedIn(row, column);
      return logged !== undefined &&
        isOtherThanTold(text, logged, typeOf(column));
    });
  // Fewer rows may come back than were written, and in another order: not of an INSERT.
  if (told?.length === rows.length && rows.some(isToldOther)) return undefined;
  const count = shape.insertion?.rows ?? rows.length;
  if (rows.length >= count) {
    return rows.every((_, i) => isPossible(i, i)) ? rows : undefined;
  }
  const places = valuesPlaces(rows.length, count, isPossible);
  if (places === undefined || places === "several") return places && rows;
  const all = Array.from<DecodedRow | undefined>({ length: count })
    .fill(LEFT_OUT);
  places.forEach((place, i) => all[place] = rows[i]);
  return all;
}

/** The row that a value is of; undefined: it is of all. */
function rowOf(key: string): number | undefined {
  const written = writtenValue(key);
  return written !== undefined && "row" in written ? written.row : undefined;
}

/**
 * The column of a row that a known value is of; undefined: the value is of
 * another row, or the row may have another one.
 *
 * @param isUpdated the row was there already.
 */
function columnOf(
  key: string,
  row: number,
  isUpdated: boolean,
  insertion: Insertion | undefined,
  names: readonly string[],
): string | undefined {
  const written = writtenValue(key);
  if (written === undefined) return key;
  if ("column" in written) return written.column;
  if (written.row !== row || insertion === undefined) return undefined;
  const { columns, conflict, kept } = insertion;
  const column = (columns.length > 0 ? columns : names)[written.place];
  const isKnown = !isUpdated || [...conflict, ...kept].includes(column ?? "");
  return isKnown ? column : undefined;
}
