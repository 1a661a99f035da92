import type { Catalog } from "../catalog/mod.ts";
import type { LoggedRows } from "../given/mod.ts";
import type { Insertion } from "../sql/mod.ts";

/** By the OID of an integer type the middle of its positive numbers: sequences rarely come so far, and it is never reached from it. */
const MIDDLES: ReadonlyMap<number, bigint> = new Map([
  [21, 1n << 14n], // int2
  [23, 1n << 30n], // int4
  [20, 1n << 62n], // int8
]);

/** Rows of a query, or a COPY, that get numbers. */
const MAX_MADE_ROWS = 10_000;

/**
 * Numbers for rows that the primary has rolled back, of which nobody was told
 * what a sequence gave. On the mirror the number that its own sequence gives
 * may be in the table already: another transaction was given it.
 */
export class Placeholders {
  #next: bigint;

  /** @param start in [0, 1): another one for each process that writes to the mirror. */
  constructor(start: number) {
    this.#next = BigInt(Math.floor(start * 2 ** 52));
  }

  /** Rows for an INSERT, or a COPY. @param inserted how many a query or a COPY had. */
  rows(
    { relation, rows, outputs, source, columns: named }: Insertion,
    inserted: number,
    catalog: Catalog,
  ): LoggedRows | undefined {
    const isCopy = source === "copy";
    const length = rows ?? (isCopy || outputs !== undefined ? inserted : 0);
    if (length === 0 || length > MAX_MADE_ROWS) return undefined;
    const columns = (catalog.columns(relation) ?? []).flatMap(
      ({ name, typeOid, default: own }) => {
        if (isCopy && named.includes(name)) return [];
        const middle = MIDDLES.get(typeOid);
        return own?.nature === "sequence" && middle !== undefined
          ? [{ name, middle }]
          : [];
      },
    );
    const made = Array.from(
      { length },
      () =>
        new Map(
          columns.map(({ name, middle }) => [name, this.#number(middle)]),
        ),
    );
    return Object.assign(made, { areMade: true as const });
  }

  #number(middle: bigint): string {
    return String(middle + this.#next++ % middle);
  }
}
