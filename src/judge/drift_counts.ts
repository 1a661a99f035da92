import type { DriftCount } from "../stats/mod.ts";
import type { MismatchKind } from "./mismatch_counts.ts";

/** Columns and kinds of difference counted apart in one statement. */
const MAX_DRIFTED = 64;
/** What one takes, with its column's name. */
const COUNT_BYTES = 256;

/** A statement's differences by the drawn columns that may stand behind them, within a bound. */
export class DriftCounts {
  readonly #counts: { -readonly [Key in keyof DriftCount]: DriftCount[Key] }[] =
    [];

  get bytes(): number {
    return this.#counts.length * COUNT_BYTES;
  }

  /** Counts a difference for each of the columns. */
  add(
    columns: readonly string[],
    { result, mirrorSqlstate, primarySqlstate }: MismatchKind,
    count = 1,
  ): void {
    const kind = { result, mirrorSqlstate, primarySqlstate };
    for (const column of columns) {
      const known = this.#counts.find((one) =>
        one.column === column && one.result === result &&
        one.mirrorSqlstate === mirrorSqlstate &&
        one.primarySqlstate === primarySqlstate
      );
      if (known !== undefined) known.count += count;
      else if (this.#counts.length < MAX_DRIFTED) {
        this.#counts.push({ ...kind, column, count });
      }
    }
  }

  fold(other: DriftCounts): void {
    for (const { column, count, ...kind } of other.#counts) {
      this.add([column], kind, count);
    }
  }

  snapshot(): DriftCount[] {
    return this.#counts.map((one) => ({ ...one }));
  }
}
