import type { Catalog, CatalogColumn } from "../catalog/mod.ts";
import { type Insertion, natureOfCall, type Updating } from "../sql/mod.ts";
import { arrayTypeOf } from "./key_arrays.ts";
import { type PairColumn, pairColumns } from "./row_pairs.ts";

/** A column whose values the primary generated, and its answer tells. */
export interface GivenColumn {
  readonly name: string;
  /** The type as SQL names it; a domain's base. */
  readonly type: string;
  /** Its OID. */
  readonly typeOid: number;
  /** The default as SQL; undefined: what stands in its place. */
  readonly expression: string | undefined;
  /** What makes the values of the default, or of what stands in its place. */
  readonly nature: "time" | "sequence" | "chance";
  /** Its place in a row of VALUES, where DEFAULT stands; undefined: it is left out there. */
  readonly item: number | undefined;
  /** Its place in the answer, from the front; negative: from the back, -1 the last; or only the primary's log tells it. */
  readonly output: number | "log";
  /** Only OVERRIDING SYSTEM VALUE lets it be given. */
  readonly isAlways: boolean;
}

/** How an INSERT is told what the primary generated. */
export interface GivenColumns {
  /** The relation's OID on the mirror. */
  readonly oid: string;
  /** Its key. */
  readonly relation: string;
  readonly columns: readonly GivenColumn[];
  /** Columns of its answer. */
  readonly outputs: number;
  /** The columns that its rows have values for, if it names none. */
  readonly positional: readonly string[];
  /** The types of the relation's columns that a query fills, domains' bases, by OID and as SQL names them. */
  readonly types: ReadonlyMap<
    string,
    { readonly oid: number; readonly text: string }
  >;
  /** Of an INSERT those that its ON CONFLICT sets, by their place in SET. */
  readonly updates: readonly GivenColumn[];
  /** Columns by which the rows of a query are paired with those of the log. */
  readonly pairs: readonly PairColumn[];
}

/**
 * The columns of an INSERT that the mirror may be given.
 *
 * @param hasLog the primary's log tells what the answer does not.
 * @returns undefined if there are none.
 */
export function givenColumns(
  insertion: Insertion,
  catalog: Catalog,
  hasLog: boolean,
): GivenColumns | undefined {
  const { relation, columns: named, source, width } = insertion;
  const { overriding, excluded, onConflict } = insertion;
  // Without a list its data have all columns.
  if (source === "copy" && named.length === 0) return undefined;
  if (overriding === "user") return undefined;
  if (source === "query") {
    if (insertion.outputs === undefined || onConflict !== undefined) {
      return undefined;
    }
  }
  if (source === "constants") {
    // Which of the rows have come back is not told.
    if (width === 0 || onConflict === "nothing") return undefined;
    if (named.length > 0 && named.length !== width) return undefined;
  }
  const [oid, ...others] = catalog.oids(relation);
  if (oid === undefined || others.length > 0) return undefined;
  // Rows of partitions come into the log one partition behind the other.
  if (source === "copy" && catalog.familyOf(oid).size > 1) return undefined;
  const all = catalog.columnsOf(oid);
  const changes = catalog.changedByTrigger(oid);
  if (all === undefined || changes === "all") return undefined;
  const names = all.map(({ name }) => name);
  const list = named.length > 0 ? named : names.slice(0, width);
  // Of all rows together the values go into one array.
  const isInArray = source === "constants" || source === "query";
  const columns = all.flatMap((column): GivenColumn[] => {
    const { name, replaceable, default: own, isAlways } = column;
    const set = hasLog ? setByChance(insertion, list.indexOf(name)) : undefined;
    if (set !== undefined) {
      const type = catalog.typeText(column.typeOid);
      const isFree = !changes?.has(name) && excluded !== "all" &&
        !excluded.includes(name) && !catalog.isUnlogged(oid);
      if (type === undefined || !isFree) return [];
      if (isInArray && arrayTypeOf(type) === undefined) return [];
      return [{
        name,
        type,
        typeOid: catalog.baseType(column.typeOid),
        expression: undefined,
        nature: set,
        item: list.indexOf(name),
        output: "log",
        isAlways: false,
      }];
    }
    const nature = own?.nature ?? "fixed";
    if (replaceable === undefined || nature === "fixed") return [];
    if (changes?.has(name) || !isOfServer(replaceable)) return [];
    // Of a row that is there already its own value comes back.
    if (excluded === "all" || excluded.includes(name)) return [];
    const output = placeIn(insertion, name, names) ??
      (hasLog && !catalog.isUnlogged(oid) ? "log" : undefined);
    const place = list.indexOf(name);
    const type = catalog.typeText(column.typeOid);
    if (output === undefined || type === undefined) return [];
    if (isInArray && arrayTypeOf(type) === undefined) return [];
    // Beside values of the client's own DEFAULT would need them told apart.
    if (place >= 0 && !isAllDefault(insertion, place)) return [];
    return [{
      name,
      type,
      expression: replaceable,
      typeOid: catalog.baseType(column.typeOid),
      nature,
      item: place < 0 ? undefined : place,
      output,
      isAlways,
    }];
  });
  const updates = updatesOf(insertion, oid, all, catalog, hasLog);
  if (columns.length + updates.length === 0) return undefined;
  const outputs = insertion.returned.reduce(
    (sum, one) => sum + (one === "all" ? names.length : 1),
    0,
  );
  return {
    oid,
    relation,
    columns,
    outputs,
    positional: named.length > 0 ? [] : list,
    types: new Map(
      source !== "query" ? [] : all.flatMap(({ name, typeOid }) => {
        const text = catalog.typeText(typeOid);
        const oid = catalog.baseType(typeOid);
        return text === undefined ? [] : [[name, { oid, text }] as const];
      }),
    ),
    updates,
    pairs: source === "query" && hasLog
      ? pairColumns(insertion, all, catalog, changes)
      : [],
  };
}

/** What ON CONFLICT gives a row that is there: its row of the log has that, or the value that the INSERT drew. */
function updatesOf(
  insertion: Insertion,
  oid: string,
  all: readonly CatalogColumn[],
  catalog: Catalog,
  hasLog: boolean,
): readonly GivenColumn[] {
  const { source, updating, rows } = insertion;
  const isOfValues = source === "values" || source === "defaults";
  if (updating === undefined || !isOfValues) return [];
  // A sequence draws once, whether the row is there or not.
  const sets = updating.sets.filter(({ isSequence }) => !isSequence);
  const names = all.map(({ name }) => name);
  return loggedColumns(sets, oid, all, catalog).flatMap((column) => {
    // Of several rows nothing tells which of them were there.
    const place = rows === 1
      ? placeIn(insertion, column.name, names)
      : undefined;
    if (place === undefined && !hasLog) return [];
    return [{ ...column, output: place ?? "log" as const }];
  });
}

/** Columns that SET fills by chance, and the log tells. */
export function loggedColumns(
  sets: Updating["sets"],
  oid: string,
  all: readonly CatalogColumn[],
  catalog: Catalog,
): readonly GivenColumn[] {
  const changes = catalog.changedByTrigger(oid);
  if (changes === "all" || catalog.isUnlogged(oid)) return [];
  return sets.flatMap(({ column, item, isSequence }): GivenColumn[] => {
    const known = all.find(({ name }) => name === column);
    const type = known && catalog.typeText(known.typeOid);
    if (type === undefined || changes?.has(column)) return [];
    return [{
      name: column,
      type,
      typeOid: catalog.baseType(known?.typeOid ?? 0),
      expression: undefined,
      nature: isSequence ? "sequence" : "chance",
      item,
      output: "log",
      isAlways: false,
    }];
  });
}

/** Whether an expression calls only functions of the server and its extensions: another one may draw from a sequence. */
function isOfServer(expression: string): boolean {
  // What pg_catalog has is named without its schema.
  return [...expression.matchAll(QUALIFIED_CALL)].every(([, name = ""]) =>
    natureOfCall(name, 0) !== undefined
  );
}

const QUALIFIED_CALL = /\."?([\p{L}_][\p{L}\p{N}_$]*)"?\s*\(/gu;

/** What chance decides of a column, if VALUES has such an expression in all rows. */
function setByChance(
  { chances, draws, rows, width, source }: Insertion,
  place: number,
): "sequence" | "chance" | undefined {
  const count = source === "query" ? 1 : rows;
  const isAll = (places: readonly number[]) =>
    places.filter((at) => at % width === place).length === count;
  if (place < 0 || !isAll(chances)) return undefined;
  if (isAll(draws)) return "sequence";
  return draws.some((at) => at % width === place) ? undefined : "chance";
}

function isAllDefault(
  { defaults, rows, width }: Insertion,
  place: number,
): boolean {
  const found = defaults.filter((at) => at % width === place);
  return found.length === rows;
}

/** Where RETURNING has a column. Behind a star places are counted from the back. */
function placeIn(
  { returned }: Insertion,
  column: string,
  names: readonly string[],
): number | undefined {
  const isIt = (one: Insertion["returned"][number]) =>
    typeof one === "object" && one.column === column;
  const star = returned.indexOf("all");
  const first = returned.findIndex(isIt);
  if (first >= 0 && (star < 0 || first < star)) return first;
  if (star < 0) return undefined;
  const last = returned.findLastIndex(isIt);
  if (last > returned.lastIndexOf("all")) return last - returned.length;
  return returned.lastIndexOf("all") === star
    ? star + names.indexOf(column)
    : undefined;
}
