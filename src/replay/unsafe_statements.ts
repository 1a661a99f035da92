import type { Catalog } from "../catalog/mod.ts";
import type { Deeds, Defined, UnsafeKind } from "../sql/mod.ts";
import type { Shape } from "../sql/shape.ts";
import type { ExclusionCounts } from "../stats/mod.ts";

const NONE: readonly UnsafeKind[] = [];

/**
 * Finds what each shape does that is never replayed, once for each catalog. Of
 * an ordinary statement that is one look into a map.
 */
export class UnsafeStatements {
  /** Names that the configuration allows. */
  allowed: ReadonlySet<string> = new Set();
  #catalog: Catalog | undefined;
  #known = new WeakMap<Shape, readonly UnsafeKind[]>();
  /** What was defined since the catalog was read, by what it is of and its name. */
  readonly #fresh = new Map<string, readonly UnsafeKind[]>();

  /**
   * The kinds of a transaction that are not allowed; none: it may be replayed.
   *
   * @param cycles for each of its cycles the statements that it runs.
   * @param catalog the last one that was read.
   * @param holds nothing was defined since.
   */
  of(
    cycles: readonly (readonly Shape[])[],
    catalog: Catalog,
    holds: boolean,
  ): readonly UnsafeKind[] {
    if (this.#catalog !== catalog) {
      this.#catalog = catalog;
      this.#known = new WeakMap();
    }
    if (holds) this.#fresh.clear();
    for (const cycle of cycles) {
      for (const shape of cycle) {
        const kinds = this.#ofShape(shape, catalog);
        if (kinds.length > 0) return kinds;
        if (shape.danger?.defines) this.#define(shape.danger.defines, catalog);
      }
    }
    return NONE;
  }

  #ofShape(shape: Shape, catalog: Catalog): readonly UnsafeKind[] {
    if (shape.danger?.runsNothing) return NONE;
    // A form of a statement does what the statement does, unless its text was looked at.
    const { base = shape } = shape;
    const one = base.danger === shape.danger ? base : shape;
    let kinds = this.#known.get(one);
    if (kinds === undefined) {
      this.#known.set(one, kinds = kindsOf(deedsOf(one), catalog));
    }
    if (this.#fresh.size > 0) {
      kinds = [...kinds, ...this.#freshOf(deedsOf(one))];
    }
    return kinds.length === 0
      ? NONE
      : kinds.filter((kind) => !this.allowed.has(kind));
  }

  /** What was defined is known to what comes behind it, before the mirror is asked again. */
  #define({ of, name, does }: Defined, catalog: Catalog): void {
    const kinds = [...kindsOf(does, catalog), ...this.#freshOf(does)];
    if (kinds.length > 0) this.#fresh.set(`${of} ${name}`, kinds);
  }

  #freshOf({ calls, reads, writes }: Deeds): readonly UnsafeKind[] {
    return [
      ...calls.map((name) => `routine ${name}`),
      ...[...reads, ...writes].map((name) => `relation ${name}`),
    ].flatMap((key) => this.#fresh.get(key) ?? NONE);
  }
}

/** All that a statement runs and touches, by its text. */
function deedsOf({ danger, calls, reads, writes }: Shape): Deeds {
  return danger === undefined ? { kinds: NONE, calls, reads, writes } : {
    kinds: danger.kinds,
    calls: [...calls, ...danger.calls],
    reads: [...reads, ...danger.reads],
    writes: [...writes, ...danger.writes],
  };
}

function kindsOf(deeds: Deeds, catalog: Catalog): readonly UnsafeKind[] {
  return [...new Set([...deeds.kinds, ...catalog.unsafeBehind(deeds)])];
}

/** A mirror, as far as it is kept from what is unsafe. */
export interface Guarded {
  readonly unsafe: UnsafeStatements;
  readonly catalog: Catalog;
  readonly schema: { readonly isKnown: boolean };
  readonly exclusions: ExclusionCounts;
  log(
    level: "info",
    message: string,
    properties: Record<string, unknown>,
  ): void;
}

/** Whether a transaction must not reach the mirror, which is counted, and told of once for each kind. */
export function isUnsafe(
  { unsafe, catalog, schema, exclusions, log }: Guarded,
  { shapes }: { readonly shapes: readonly (readonly Shape[])[] },
): boolean {
  const [kind] = unsafe.of(shapes, catalog, schema.isKnown);
  if (kind === undefined) return false;
  if (exclusions.count("unsafe", kind)) {
    log("info", "A transaction is not replayed: it is unsafe", { kind });
  }
  return true;
}
