import { Catalog } from "../catalog/mod.ts";
import { ShapesBehind } from "../judge/mod.ts";
import type { Shape } from "../sql/shape.ts";
import {
  type CorrectedRelation,
  correctedRelations,
} from "./corrected_relation.ts";
import {
  AHEAD,
  aheadText,
  correctionText,
  type LoggedRelation,
} from "./correction_text.ts";

/** Sequences that are remembered. If there are more, all are brought ahead anew. */
const MAX_SEQUENCES = 10_000;
/** A sequence may be set, or mended. */
const AGAIN_US = 60_000_000;

/** Rows of the log by their relation's OID on the mirror. */
export type LoggedRelations = ReadonlyMap<string, LoggedRelation>;

/** A relation with rows that are to be corrected. */
export interface Correction {
  readonly corrected: CorrectedRelation;
  readonly logged: LoggedRelation;
}

/** A sequence that is to be brought ahead before the mirror draws from it. */
export interface Lagging {
  readonly sequence: string;
  readonly upTo: bigint;
  readonly sql: string;
}

/**
 * Which rows that no text could be given values for one mirror has corrected
 * before they are committed: those that triggers insert.
 */
export class Corrections {
  /** The mirror has refused a block of ours: its language is not there, or not for its user. */
  isRefused = false;
  #catalog = new Catalog();
  #behind = new ShapesBehind(this.#catalog);
  #known = new WeakMap<Shape, Known>();
  /** Sequences that are ahead: up to which number, and since when. */
  readonly #ahead = new Map<string, { upTo: bigint; atUs: number }>();

  /** Whether a statement leads to rows that the log must tell. */
  needsLog(shape: Shape, catalog: Catalog): boolean {
    return !this.isRefused && this.#of(shape, catalog).isCorrected;
  }

  /** What of the log's rows the mirror is to correct behind these statements. */
  of(
    shapes: readonly Shape[],
    logged: LoggedRelations,
    catalog: Catalog,
  ): readonly Correction[] {
    if (this.isRefused || logged.size === 0) return [];
    const all = new Set(
      shapes.flatMap((shape) => this.#of(shape, catalog).behind),
    );
    return [...correctedRelations(all, catalog)].flatMap(([oid, corrected]) => {
      const rows = logged.get(oid);
      return rows === undefined ? [] : [{ corrected, logged: rows }];
    });
  }

  /** Sequences that are not known to be ahead of numbers that rows will be corrected to. */
  lagging(all: readonly Correction[], nowUs: number): readonly Lagging[] {
    return all.flatMap(({ corrected, logged }) => {
      const { sequence, columns } = corrected;
      const key = columns.find(({ nature }) => nature === "key")?.name ?? "";
      const numbers = logged.rows.flatMap((row) => {
        const text = row?.get(key);
        return typeof text === "string" ? [BigInt(text)] : [];
      });
      const highest = numbers.reduce((a, b) => a > b ? a : b, 0n);
      const known = this.#ahead.get(sequence);
      const isAhead = known !== undefined && highest < known.upTo &&
        nowUs - known.atUs < AGAIN_US;
      if (isAhead) return [];
      const upTo = highest + BigInt(AHEAD) / 2n;
      return [{ sequence, upTo, sql: aheadText(corrected, logged, highest) }];
    });
  }

  /** The mirror has brought them ahead. */
  ranAhead(all: readonly Lagging[], nowUs: number): void {
    for (const { sequence, upTo } of all) {
      if (this.#ahead.size >= MAX_SEQUENCES) this.#ahead.clear();
      this.#ahead.set(sequence, { upTo, atUs: nowUs });
    }
  }

  /** What corrects the rows, at the end of the transaction that has inserted them. */
  behind(all: readonly Correction[], lagUs: number): readonly string[] {
    return all.flatMap(({ corrected, logged }) =>
      correctionText(corrected, logged, lagUs) ?? []
    );
  }

  #look(catalog: Catalog): void {
    if (catalog === this.#catalog) return;
    this.#catalog = catalog;
    this.#behind = new ShapesBehind(catalog);
    this.#known = new WeakMap();
  }

  #of(shape: Shape, catalog: Catalog): Known {
    this.#look(catalog);
    let known = this.#known.get(shape);
    if (known === undefined) {
      const all = this.#behind.of(shape);
      const behind = [...all].filter((one) => one !== shape);
      const { size } = correctedRelations(behind, catalog);
      known = { behind, isCorrected: size > 0 };
      this.#known.set(shape, known);
    }
    return known;
  }
}

/** What is known of a statement. */
interface Known {
  /** What its triggers run. */
  readonly behind: readonly Shape[];
  readonly isCorrected: boolean;
}
