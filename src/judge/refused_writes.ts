import type { Drift } from "./drift.ts";

/** What a transaction writes, and whether the mirror has refused it because of drawn columns, perhaps. */
export class RefusedWrites {
  /** Names without schemas. */
  readonly #relations = new Set<string>();
  readonly #columns = new Set<string>();

  begin(): void {
    this.#relations.clear();
    this.#columns.clear();
  }

  /** A statement of it writes. */
  wrote(relations: readonly string[]): void {
    for (const relation of relations) this.#relations.add(relation);
  }

  /** The mirror has refused a statement, and the primary has not. */
  refusedBy(columns: readonly string[]): void {
    for (const column of columns) this.#columns.add(column);
  }

  /** It is over: what was refused is not there for later statements. */
  end(drift: () => Drift): void {
    if (this.#columns.size === 0) return;
    drift().spread({ writes: [...this.#relations], calls: [] }, this.#columns);
  }
}
