/** A rule of `[[exclude]]`: transactions that all it names fit are not replayed. */
export interface ExcludeRule {
  readonly user: string | undefined;
  readonly database: string | undefined;
  /** As the client gave it at its login. */
  readonly applicationName: string | undefined;
  readonly fingerprint: string | undefined;
  /** A regular expression, found in a statement's normalised text. */
  readonly pattern: string | undefined;
  readonly reason: string;
}

/** What a rule is about: `user report, pattern ^refresh`. */
export function excludeRuleText(rule: ExcludeRule): string {
  const { user, database, applicationName, fingerprint, pattern } = rule;
  return Object.entries({
    user,
    database,
    application_name: applicationName,
    fingerprint,
    pattern,
  }).filter(([, value]) => value !== undefined)
    .map((pair) => pair.join(" ")).join(", ");
}

/** How often one mirror was spared a transaction by a rule, or for a kind of what is unsafe. */
export interface Exclusion {
  readonly database: string;
  readonly mirror: string;
  readonly reason: "rule" | "unsafe";
  /** The rule's text, or the name that allows the kind. */
  readonly name: string;
  readonly count: number;
}

/** Counts them in the mirror worker, for one mirror. */
export class ExclusionCounts {
  readonly #counts = new Map<
    string,
    Pick<Exclusion, "reason" | "name"> & { count: number }
  >();
  #isChanged = false;

  /** Counts one transaction. @returns whether it is the first of its kind. */
  count(reason: Exclusion["reason"], name: string): boolean {
    this.#isChanged = true;
    const key = `${reason} ${name}`;
    const known = this.#counts.get(key);
    if (known === undefined) this.#counts.set(key, { reason, name, count: 1 });
    else known.count++;
    return known === undefined;
  }

  /** All counts, if there are new ones. */
  takeChanged(): readonly Omit<Exclusion, "database" | "mirror">[] {
    if (!this.#isChanged) return [];
    this.#isChanged = false;
    return [...this.#counts.values()].map((one) => ({ ...one }));
  }
}

/** The main thread's copy of these counts, since the process began. */
export class ExclusionStore {
  readonly #all = new Map<string, Exclusion>();

  /** Takes what has changed; each replaces the one before. */
  update(exclusions: readonly Exclusion[]): void {
    for (const one of exclusions) {
      const { database, mirror, reason, name } = one;
      this.#all.set(JSON.stringify([database, mirror, reason, name]), one);
    }
  }

  /** In the order of their first sight. */
  all(): Exclusion[] {
    return [...this.#all.values()];
  }
}
