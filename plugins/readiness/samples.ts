/** One sample that Prometheus gave; its name is the label `__name__`. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The samples of one scrape, by the name of their metric. */
export class Samples {
  readonly #byName: ReadonlyMap<string, readonly Sample[]>;

  /** @param namespace what the exporter put before each name. */
  constructor(samples: readonly Sample[], namespace: string) {
    this.#byName = Map.groupBy(
      samples,
      ({ labels: { __name__: name = "" } }) =>
        name.startsWith(namespace) ? name.slice(namespace.length) : "",
    );
  }

  /** @param name without the namespace. */
  of(name: string): readonly Sample[] {
    return this.#byName.get(name) ?? [];
  }

  /** Of a metric that has one. */
  value(name: string): number | undefined {
    return this.of(name)[0]?.value;
  }
}
