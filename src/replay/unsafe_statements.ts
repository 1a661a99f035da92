import type { Catalog, Fresh } from "../catalog/mod.ts";
import type { Deeds, Defined, UnsafeKind } from "../sql/mod.ts";
import type { Shape } from "../sql/shape.ts";
import type { ExclusionCounts } from "../stats/mod.ts";

const NONE: readonly UnsafeKind[] = [];
/** Definitions that are followed until the catalog is read again. */
const MAX_FRESH = 10_000;

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
  readonly #fresh = new Map<string, Deeds>();

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
        if (shape.danger?.defines) this.#define(shape.danger.defines);
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
      kinds = kindsOf(deedsOf(one), catalog, this.#fresh);
    }
    return kinds.length === 0
      ? NONE
      : kinds.filter((kind) => !this.allowed.has(kind));
  }

  /** What was defined is known to what comes behind it, before the mirror is asked again. */
  #define({ of, name, does }: Defined): void {
    const key = `${of} ${name}`;
    const before = this.#fresh.get(key);
    if (before === undefined && this.#fresh.size >= MAX_FRESH) return;
    this.#fresh.set(
      key,
      before === undefined ? does : {
        kinds: [...new Set([...before.kinds, ...does.kinds])],
        calls: [...new Set([...before.calls, ...does.calls])],
        reads: [...new Set([...before.reads, ...does.reads])],
        writes: [...new Set([...before.writes, ...does.writes])],
      },
    );
  }
}

/** All that a statement runs and touches, by its text. */
function deedsOf(
  { danger, calls, reads, writes, writesWithSchema: namesSchemas }: Shape,
): Deeds & { readonly namesSchemas?: boolean | undefined } {
  return danger === undefined
    ? { kinds: NONE, calls, reads, writes, namesSchemas }
    : {
      namesSchemas,
      kinds: danger.kinds,
      calls: [...calls, ...danger.calls],
      reads: [...reads, ...danger.reads],
      writes: [...writes, ...danger.writes],
    };
}

function kindsOf(
  deeds: ReturnType<typeof deedsOf>,
  catalog: Catalog,
  fresh?: Fresh,
): readonly UnsafeKind[] {
  return [...new Set([...deeds.kinds, ...catalog.unsafeBehind(deeds, fresh)])];
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
