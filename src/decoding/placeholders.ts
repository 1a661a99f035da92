import type { Catalog } from "../catalog/mod.ts";
import { type LoggedRows, MADE_FROM } from "../given/mod.ts";
import type { Insertion } from "../sql/mod.ts";

/** Rows of one statement that get numbers. */
const MAX_MADE_ROWS = 10_000;

/**
 * Numbers for rows of which nobody was told what a sequence gave: the primary
 * has rolled them back, or its log does not tell. On the mirror the number that
 * its own sequence gives may be in the table already: another transaction was
 * given it.
 */
export class Placeholders {
  #next: bigint;

  /** @param start in [0, 1): another one for each process that writes to the mirror. */
  constructor(start: number) {
    this.#next = BigInt(Math.floor(start * 2 ** 52));
  }

  /**
   * Rows for an INSERT, or a COPY.
   *
   * @param inserted how many a query or a COPY had.
   * @param isKept they are to stay: undefined if they are not of VALUES, or one
   * of their sequences can't have such a number.
   */
  rows(
    { relation, rows, outputs, source, columns: named }: Insertion,
    inserted: number,
    catalog: Catalog,
    isKept: boolean,
  ): LoggedRows | undefined {
    if (isKept && rows === undefined) return undefined;
    const isCopy = source === "copy";
    const length = rows ?? (isCopy || outputs !== undefined ? inserted : 0);
    if (length === 0 || length > MAX_MADE_ROWS) return undefined;
    const drawn = (catalog.columns(relation) ?? []).filter(
      ({ name, default: own }) =>
        own?.nature === "sequence" && !(isCopy && named.includes(name)),
    );
    const columns = drawn.flatMap(({ name, typeOid }) => {
      const middle = MADE_FROM.get(catalog.typeText(typeOid) ?? "");
      return middle === undefined ? [] : [{ name, middle }];
    });
    const isWhole = columns.length === drawn.length && drawn.length > 0;
    if (isKept && !isWhole) return undefined;
    const made = Array.from(
      { length },
      () =>
        new Map(
          columns.map(({ name, middle }) => [name, this.#number(middle)]),
        ),
    );
    const areMade = true as const;
    return Object.assign(made, isKept ? { areMade, isKept } : { areMade });
  }

  #number(middle: bigint): string {
    return String(middle + this.#next++ % middle);
  }
}
