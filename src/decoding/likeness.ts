import type { Catalog } from "../catalog/mod.ts";
import { isDrawn } from "../judge/mod.ts";
import type { WrittenInLog } from "./agreement.ts";
import type { WrittenRows } from "./trace.ts";
import type { DecodedRow } from "./test_decoding.ts";

/**
 * In which statements two transactions of the log differ in more than chance
 * gave, so that a client that was told nothing may be either. Where chance gave
 * the same values the rest does not matter, nor does it where the mirror is
 * given nothing.
 */
export function unlike(
  a: WrittenInLog,
  b: WrittenInLog,
  catalog: Catalog,
): readonly WrittenRows[] {
  const found: WrittenRows[] = [];
  for (const [written, rows] of a) {
    const { insertion, updating } = written.shape;
    if (insertion === undefined && updating === undefined) continue;
    const others = b.get(written);
    // Which rows are whose is not known: nobody is given anything of them.
    if (rows === undefined || others === undefined) continue;
    const isFree = freeColumns(written, catalog);
    const areEqual = rows.length === others.length &&
      rows.every((row, i) =>
        haveEqualValues(row, others[i], (column) => !isFree(column)) ||
        haveEqualValues(row, others[i], isFree)
      );
    if (!areEqual) found.push(written);
  }
  return found;
}

function haveEqualValues(
  a: DecodedRow | undefined,
  b: DecodedRow | undefined,
  isLeftOut: (column: string) => boolean,
): boolean {
  if (a?.size !== b?.size || a === undefined) return false;
  return [...a].every(([column, value]) =>
    b?.get(column) === value || isLeftOut(column)
  );
}

/** The columns that chance, or what chance gave, decides. */
function freeColumns(
  { oid, shape }: WrittenRows,
  catalog: Catalog,
): (column: string) => boolean {
  const columns = catalog.columnsOf(oid) ?? [];
  const changes = catalog.changedByTrigger(oid);
  const { insertion, draws } = shape;
  const listed = insertion !== undefined && insertion.columns.length > 0
    ? insertion.columns
    : columns.map(({ name }) => name).slice(0, insertion?.width);
  const isDefault = (name: string) => {
    if (insertion === undefined) return false;
    const { source, defaults, width } = insertion;
    const place = listed.indexOf(name);
    return source === "defaults" || place < 0 ||
      defaults.some((at) => at % width === place);
  };
  const free = new Set<string>();
  for (const { name, default: own } of columns) {
    const isComputed = (own?.from.length ?? 0) > 0;
    const isOfChance = own !== undefined && own.nature !== "fixed";
    if (isComputed || isOfChance && isDefault(name)) free.add(name);
    if (changes instanceof Map && changes.has(name)) free.add(name);
  }
  for (const { write: { named, positional } } of draws) {
    const traits = [
      ...named,
      ...positional.map((trait, i) => [columns[i]?.name ?? "", trait] as const),
    ];
    for (const [name, { parts }] of traits) {
      if (parts.some(({ mask }) => isDrawn(mask))) free.add(name);
    }
  }
  return (column) => free.has(column);
}
