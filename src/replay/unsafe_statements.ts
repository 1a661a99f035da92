import type { Catalog } from "../catalog/mod.ts";
import { NOT_RUN, type UnsafeKind } from "../sql/mod.ts";
import type { Shape } from "../sql/shape.ts";
import type { ExclusionCounts } from "../stats/mod.ts";

const NONE: readonly UnsafeKind[] = [];

/**
 * Finds what each shape does that is never replayed, once for each catalog. Of
 * an ordinary statement that is one look into a map.
 */
export class UnsafeStatements {
  #catalog: Catalog | undefined;
  #known = new WeakMap<Shape, readonly UnsafeKind[]>();
  /** Names that the configuration allows. */
  allowed: ReadonlySet<string> = new Set();

  /** The kinds of a statement that are not allowed. */
  of(shape: Shape, catalog: Catalog): readonly UnsafeKind[] {
    if (shape.danger === NOT_RUN) return NONE;
    if (this.#catalog !== catalog) {
      this.#catalog = catalog;
      this.#known = new WeakMap();
    }
    // A form of a statement does what the statement does, unless its text was looked at.
    const { base = shape } = shape;
    const one = base.danger === shape.danger ? base : shape;
    let kinds = this.#known.get(one);
    if (kinds === undefined) {
      this.#known.set(one, kinds = kindsOf(one, catalog));
    }
    if (kinds.length === 0) return NONE;
    return kinds.filter((kind) => !this.allowed.has(kind));
  }

  /**
   * The kinds of a whole transaction that are not allowed; none: it may be
   * replayed. A routine that it defines is known to what comes behind it.
   *
   * @param cycles for each of its cycles the statements that it runs.
   */
  ofAll(
    cycles: readonly (readonly Shape[])[],
    catalog: Catalog,
  ): readonly UnsafeKind[] {
    let routines: Map<string, readonly UnsafeKind[]> | undefined;
    for (const cycle of cycles) {
      for (const shape of cycle) {
        const kinds = this.of(shape, catalog);
        if (kinds.length > 0) return kinds;
        const { calls, danger } = shape;
        if (danger?.routine !== undefined) {
          routines ??= new Map();
          routines.set(danger.routine.name, danger.routine.kinds);
        }
        if (routines === undefined || danger === NOT_RUN) continue;
        for (const name of [...calls, ...danger?.calls ?? []]) {
          const own = (routines.get(name) ?? NONE)
            .filter((kind) => !this.allowed.has(kind));
          if (own.length > 0) return own;
        }
      }
    }
    return NONE;
  }
}

function kindsOf(
  { danger, calls, reads, writes }: Shape,
  catalog: Catalog,
): readonly UnsafeKind[] {
  const behind = catalog.unsafeBehind({
    calls: [...calls, ...danger?.calls ?? []],
    reads: [...reads, ...danger?.reads ?? []],
    writes: [...writes, ...danger?.writes ?? []],
  });
  return [...new Set([...danger?.kinds ?? [], ...behind])];
}

/** A mirror, as far as it is kept from what is unsafe. */
export interface Guarded {
  readonly unsafe: UnsafeStatements;
  readonly catalog: Catalog;
  readonly exclusions: ExclusionCounts;
  log(
    level: "info",
    message: string,
    properties: Record<string, unknown>,
  ): void;
}

/** Whether a transaction must not reach the mirror, which is counted, and told of once for each kind. */
export function isUnsafe(
  { unsafe, catalog, exclusions, log }: Guarded,
  { shapes }: { readonly shapes: readonly (readonly Shape[])[] },
): boolean {
  const [kind] = unsafe.ofAll(shapes, catalog);
  if (kind === undefined) return false;
  if (exclusions.count("unsafe", kind)) {
    log("info", "A transaction is not replayed: it is unsafe", { kind });
  }
  return true;
}
