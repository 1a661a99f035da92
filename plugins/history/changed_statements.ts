import type { StatementSummary } from "../../src/plugin/api.ts";

/** Which statement of which mirror a row is about. */
export type StatementName = Pick<
  StatementSummary,
  "database" | "mirror" | "fingerprint"
>;

/** Which statements have changed since they were last written: of many, few do. */
export class ChangedStatements {
  readonly #written = new Map<
    string,
    { readonly name: StatementName; readonly calls: number | undefined }
  >();
  /** Those of the last `take` that were gone. */
  #gone: readonly StatementName[] = [];

  /** Those of `all` that have been called since the last `take`, and those that are no longer among them. */
  take(all: readonly StatementSummary[]): {
    readonly changed: readonly StatementSummary[];
    readonly gone: readonly StatementName[];
  } {
    const keys = new Set<string>();
    const changed = all.filter((summary) => {
      const { database, mirror, fingerprint } = summary;
      const name = { database, mirror, fingerprint };
      const calls = countedIn(summary);
      const key = keyOf(name);
      keys.add(key);
      if (this.#written.get(key)?.calls === calls) return false;
      this.#written.set(key, { name, calls });
      return true;
    });
    const gone: StatementName[] = [];
    for (const [key, { name }] of this.#written) {
      if (keys.has(key)) continue;
      this.#written.delete(key);
      gone.push(name);
    }
    this.#gone = gone;
    return { changed, gone };
  }

  /** Another window has begun: nothing of it is written yet, and what was is not gone. */
  clear(): void {
    this.#written.clear();
    this.#gone = [];
  }

  /** What was taken last was not written: take all again. */
  forget(): void {
    for (
      const name of [
        ...this.#gone,
        ...[...this.#written.values()].map(({ name }) => name),
      ]
    ) this.#written.set(keyOf(name), { name, calls: undefined });
    this.#gone = [];
  }
}

/** Goes up with each call, and with what is counted behind it. */
function countedIn({ calls, outcomes }: StatementSummary): number {
  return outcomes.reduce((sum, { requests }) => sum + requests, calls);
}

function keyOf({ database, mirror, fingerprint }: StatementName): string {
  return JSON.stringify([database, mirror, fingerprint]);
}
