import type { Catalog, CatalogColumn } from "../catalog/mod.ts";
import { isDrawn } from "../judge/mod.ts";
import type { Shape } from "../sql/shape.ts";
import type { Draw } from "../sql/trait.ts";
import { sequenceOf } from "./own_numbers.ts";

/** A column of a row that may be corrected, as far as the mirror has it. */
export interface CorrectedColumn {
  readonly name: string;
  /** The type as SQL names it; a domain's base. */
  readonly type: string;
  /**
   * ```
   * same  equal on both servers: by these columns rows are paired
   * key   a number of the sequence, which no other row has
   * time  now(), on the mirror later by its lag
   * any   nothing tells what it is
   * ```
   */
  readonly nature: "same" | "key" | "time" | "any";
}

/** A relation whose rows the mirror draws values for that nothing gives it before, and that can be found again. */
export interface CorrectedRelation {
  readonly oid: string;
  /** As a default names it: `'public.s'::regclass`. */
  readonly sequence: string;
  readonly columns: readonly CorrectedColumn[];
}

/**
 * The relations that statements insert into, if the mirror's own rows can be
 * told and may be changed, by OID. One of which two statements leave other
 * columns to chance is none of them.
 */
export function correctedRelations(
  shapes: Iterable<Shape>,
  catalog: Catalog,
): ReadonlyMap<string, CorrectedRelation> {
  const found = new Map<string, CorrectedRelation | undefined>();
  for (const { draws } of shapes) {
    for (const draw of draws) {
      if (!draw.write.inserts) continue;
      const [oid, ...others] = catalog.oids(draw.relation);
      if (oid === undefined || others.length > 0) continue;
      const relation = relationOf(oid, draw, catalog);
      const isOther = found.has(oid) &&
        JSON.stringify(found.get(oid)) !== JSON.stringify(relation);
      found.set(oid, isOther ? undefined : relation);
    }
  }
  return new Map(
    [...found].flatMap(([oid, relation]) =>
      relation === undefined ? [] : [[oid, relation] as const]
    ),
  );
}

function relationOf(
  oid: string,
  draw: Draw,
  catalog: Catalog,
): CorrectedRelation | undefined {
  const all = catalog.columnsOf(oid) ?? [];
  const isPlain = catalog.viewText(oid) === undefined &&
    !catalog.isUnlogged(oid) && catalog.familyOf(oid).size === 1 &&
    catalog.changedByTrigger(oid) === undefined;
  if (!isPlain) return undefined;
  const keys = catalog.keysOf(oid);
  let sequence: string | undefined;
  const columns: CorrectedColumn[] = [];
  for (const [place, column] of all.entries()) {
    const { name, replaceable, isAlways } = column;
    const type = catalog.typeText(column.typeOid);
    const drawn = natureOf(column, place, draw);
    if (type === undefined || drawn === "unknown") return undefined;
    if (!isPlainName(name) || !isPlainName(type)) return undefined;
    const own = drawn === "sequence"
      ? sequenceOf(replaceable ?? "")
      : undefined;
    const isKey = own !== undefined && sequence === undefined &&
      keys.some((key) => key.length === 1 && key[0] === name);
    if (isKey) sequence = own;
    // No UPDATE may set it.
    if (isAlways && drawn === "sequence") return undefined;
    if (drawn === "time" && !TIMES.test(type)) return undefined;
    const nature = isKey ? "key" : drawn === "sequence" ? "any" : drawn;
    columns.push({ name, type, nature });
  }
  return sequence === undefined || !isPlainName(sequence)
    ? undefined
    : { oid, sequence, columns };
}

/** In which encoding the client writes is not known here. */
export function isPlainName(name: string): boolean {
  return /^[ -#%-~]+$/.test(name);
}

/** Those whose differences are intervals. */
const TIMES = /^"pg_catalog"\."timestamp(?:tz)?"$/;

/** What decides a column of a row that is inserted; unknown: more than one of these. */
function natureOf(
  { name, default: own }: CatalogColumn,
  place: number,
  { write: { named, positional, isWhole } }: Draw,
): "same" | "time" | "sequence" | "any" | "unknown" {
  const given = named.get(name) ?? positional[place];
  if (given === undefined ? isWhole !== true : given.isDefault) {
    const nature = own?.nature ?? "fixed";
    if ((own?.from.length ?? 0) > 0) return "same";
    return nature === "fixed" ? "same" : nature === "chance" ? "any" : nature;
  }
  const masks = (given?.parts ?? []).flatMap(({ mask }) =>
    isDrawn(mask) ? [mask] : []
  );
  if (masks.length === 0) return "same";
  // Of what it reads beside nothing is known.
  if ((given?.columns.length ?? 0) > 0) return "unknown";
  if (masks.every((mask) => mask === "time")) return "time";
  return masks.every((mask) => mask === "chance") ? "any" : "unknown";
}
