import type { Catalog } from "../catalog/mod.ts";
import type { Shape } from "../sql/shape.ts";
import { type RowsBy, rowsBy } from "./rows_by.ts";

/** Relations by their names without schemas; "all": any. */
export type Relations = readonly string[] | "all";

/** Where a statement meets others, behind views, foreign keys and triggers, too. */
export interface Footprint {
  /** It reads, locks or writes them. */
  readonly touched: Relations;
  /** Others may read or lock what it has written or locked of them. */
  readonly written: Relations;
  /** Of what it has written that which its text does not name: a function or a block does. */
  readonly behind: Relations;
  /** No trigger, function or block writes for it. */
  readonly isBare: boolean;
  /** It lets go of locks and takes none, so that it never waits for who waits for them. */
  readonly releases: boolean;
  /** How the rows of its only relation are told apart; undefined: they are not. */
  readonly rows: RowsBy | undefined;
}

export const NONE: Relations = [];
const NOWHERE: Footprint = {
  touched: NONE,
  written: NONE,
  behind: NONE,
  isBare: true,
  releases: false,
  rows: undefined,
};
export const ANYWHERE: Footprint = {
  touched: "all",
  written: "all",
  behind: NONE,
  isBare: false,
  releases: false,
  rows: undefined,
};
/** A number of a sequence: only definitions have to be there before it. */
const NUMBER: Footprint = {
  touched: ["sequences\0"],
  written: NONE,
  behind: NONE,
  isBare: true,
  releases: false,
  rows: undefined,
};
/** What it writes its text does not tell. */
const UNTOLD: Footprint = { ...ANYWHERE, behind: "all" };

/** Stand for a relation: advisory locks, and the server's own catalogs. */
const ADVISORY = "advisory\0";
const CATALOGS = "catalogs\0";
const ADVISORY_CALL = /^pg_(?:try_)?advisory_/;
const ADVISORY_RELEASE = /^pg_advisory_unlock/;
const PREPARED_END = /^(?:commit|rollback)\s+prepared\b/i;
const DRAWING: ReadonlySet<string> = new Set(["nextval", "setval"]);

/** Relations of either. */
export function together(a: Relations, b: Relations): Relations {
  if (a === "all" || b === "all") return "all";
  if (a.length === 0 || a === b) return b;
  // Most are short, and name what is there already.
  const more = b.filter((one) => !a.includes(one));
  return more.length === 0 ? a : [...a, ...more];
}

/** Finds the footprint of each shape once for each catalog. */
export class Footprints {
  #catalog: Catalog | undefined;
  #known = new WeakMap<Shape, Footprint>();
  #unsure = new WeakMap<Shape, Footprint>();

  /**
   * @param catalog the last one that was read.
   * @param holds false: the schema may be another one by now.
   */
  of(shape: Shape, catalog: Catalog, holds: boolean): Footprint {
    if (shape.isControl) return NOWHERE;
    if (catalog !== this.#catalog) {
      this.#catalog = catalog;
      this.#known = new WeakMap();
      this.#unsure = new WeakMap();
    }
    const base = shape.base ?? shape;
    const known = holds ? this.#known : this.#unsure;
    let found = known.get(base);
    if (found === undefined) {
      found = holds ? footprintOf(base, catalog) : unsureOf(base, catalog);
      known.set(base, found);
    }
    return found;
  }
}

/**
 * Where a statement meets others, it may be anywhere. What it writes behind its
 * text is as the last catalog has it: else each `count(*)` beside a definition
 * would excuse all that differs. A function that is not in it may be a new one.
 */
function unsureOf(shape: Shape, catalog: Catalog): Footprint {
  const { kind, isParsed, calls } = shape;
  const isTold = (isParsed || kind !== "other") && catalog.hasFunctions(calls);
  const behind = isTold ? footprintOf(shape, catalog).behind : "all";
  return { ...ANYWHERE, behind, releases: isRelease(shape) };
}

function footprintOf(shape: Shape, catalog: Catalog): Footprint {
  const { kind, isParsed, calls, writes, locks } = shape;
  if (kind === "ddl") return definingOf(shape, catalog);
  if (!isParsed) return anywhere(calls, catalog);
  const own = shape.reads.filter((name) => isOfServer(shape, name));
  const reads = shape.reads.filter((name) => !own.includes(name));
  const names = reads.length + own.length + writes.length + calls.length;
  const releases = isRelease(shape);
  // DO names nothing.
  if (kind === "other" && names === 0) return { ...UNTOLD, releases };
  if (catalog.writesAnything(calls)) return UNTOLD;
  // Which number it gets is chance. What draws and writes may meet anybody, and so does what sets a number.
  const isNumber = names === calls.length &&
    calls.every((name) => name === "nextval");
  if (isNumber && calls.length > 0) return NUMBER;
  if (calls.some((name) => DRAWING.has(name))) {
    const isWriter = writes.length > 0 || calls.includes("setval");
    const written = isWriter ? "all" : NONE;
    return { ...anywhere(calls, catalog), written };
  }
  const reach = catalog.reachOf({ reads, writes, calls });
  if (reach === undefined) {
    // LOCK writes nothing, whatever the relation is.
    if (kind === "other" && calls.length > 0) return UNTOLD;
    const isReader = kind === "read" && !locks;
    const found = anywhere(calls, catalog);
    return isReader ? { ...found, written: NONE } : found;
  }
  const advisory = calls.some((name) => ADVISORY_CALL.test(name))
    ? [ADVISORY]
    : NONE;
  const touched = together(reach.touched, advisory);
  return {
    touched: own.length > 0 ? together(touched, [CATALOGS]) : touched,
    written: locks ? touched : together(reach.written, advisory),
    behind: reach.written.filter((name) => !writes.includes(name)),
    isBare: catalog.writesBehind(writes, calls).length === 0,
    releases,
    rows: rowsBy(shape, catalog),
  };
}

/** It may meet others anywhere. What its functions write they tell. */
function anywhere(calls: readonly string[], catalog: Catalog): Footprint {
  if (catalog.writesAnything(calls)) return UNTOLD;
  const reach = catalog.reachOf({ reads: [], writes: [], calls });
  return { ...ANYWHERE, behind: reach?.written ?? NONE };
}

/** Of a definition. Behind DROP of a partition no catalog tells any more whose rows it had. */
function definingOf({ calls, definition }: Shape, catalog: Catalog): Footprint {
  const found = anywhere(calls, catalog);
  const { rows = NONE } = definition ?? {};
  return rows === "all"
    ? found
    : { ...found, behind: together(found.behind, catalog.relativesOf(rows)) };
}

/** Whether a statement does nothing but let go of locks that an earlier one has taken. */
function isRelease({ kind, text, calls, reads, writes }: Shape): boolean {
  return kind === "other" && PREPARED_END.test(text) ||
    calls.length > 0 && calls.every((name) => ADVISORY_RELEASE.test(name)) &&
      reads.length === 0 && writes.length === 0;
}

/** Whether a relation is one of the server's, which definitions alone change. */
function isOfServer({ sources }: Shape, name: string): boolean {
  return name.startsWith("pg_") ||
    sources.includes(`information_schema\0${name}`);
}
