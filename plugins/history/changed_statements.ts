import type { StatementSummary } from "../../src/plugin/api.ts";

/** Which statements have changed since they were last written: of many, few do. */
export class ChangedStatements {
  readonly #calls = new Map<string, number>();

  /** Those of `all` that have been called since the last `take`. */
  take(all: readonly StatementSummary[]): StatementSummary[] {
    return all.filter(({ database, mirror, fingerprint, calls }) => {
      const key = JSON.stringify([database, mirror, fingerprint]);
      if (this.#calls.get(key) === calls) return false;
      this.#calls.set(key, calls);
      return true;
    });
  }

  /** What was taken last was not written: take all again. */
  forget(): void {
    this.#calls.clear();
  }
}
