import type { Ledger } from "./proxy.ts";

/** One answer of `/metrics` of a proxy in another process, in Prometheus' text format. */
export class Scrape {
  readonly #samples: readonly {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly value: number;
  }[];

  constructor(text: string) {
    this.#samples = [...text.matchAll(/^pgdog_(\w+)(?:\{(.*)\})? (\S+)$/gm)]
      .map(([, name = "", labels = "", value]) => ({
        name,
        labels: Object.fromEntries(
          [...labels.matchAll(/(\w+)="([^"]*)"/g)]
            .map(([, key = "", text = ""]) => [key, text]),
        ),
        value: Number(value),
      }));
  }

  /** Asks a port of this machine; its connection is not kept. */
  static async of(port: number): Promise<Scrape> {
    using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
    const url = `http://127.0.0.1:${port}/metrics`;
    return new Scrape(await (await fetch(url, { client })).text());
  }

  /** Sum over all series of a metric, its name without the namespace. */
  sum(name: string): number {
    return this.#series(name).reduce((total, { value }) => total + value, 0);
  }

  /** Sums by the values of a label; those without a count are left out. */
  by(name: string, label: string): Readonly<Record<string, number>> {
    const result: Record<string, number> = {};
    for (const { labels, value } of this.#series(name)) {
      const key = labels[label] ?? "";
      if (value > 0) result[key] = (result[key] ?? 0) + value;
    }
    return result;
  }

  ledger(): Ledger {
    return {
      seen: this.sum("mirror_requests_total"),
      replayed: this.sum("mirror_requests_mirrored_total"),
      pending: this.sum("mirror_pending_requests"),
      excluded: this.by("mirror_requests_excluded_total", "reason"),
      dropped: this.by("mirror_requests_dropped_total", "reason"),
      failed: this.by("mirror_requests_failed_total", "reason"),
      queryErrors: this.by("mirror_errors_total", "type").query ?? 0,
      statements: this.by("mirror_statements_total", "result"),
    };
  }

  #series(name: string) {
    return this.#samples.filter((sample) => sample.name === name);
  }
}
