import { type Evidence, gather } from "./evidence.ts";
import type { ShapeCounts } from "./shape_findings.ts";
import { type Sample, snapshotOf } from "./samples.ts";
import { type Thresholds, thresholdsFrom } from "./thresholds.ts";

/** A source database and its mirror. */
export interface Pair {
  readonly database: string;
  readonly mirror: string;
}

/** One proxy of a fleet, by the samples that Prometheus has of it. */
export class Proxy {
  readonly instance: string;
  readonly samples: readonly Sample[];
  readonly #snapshot: ReturnType<typeof snapshotOf>;
  readonly #namespace: string;

  constructor(
    instance: string,
    samples: readonly Sample[],
    namespace: string,
  ) {
    this.instance = instance;
    this.samples = samples;
    this.#namespace = namespace;
    this.#snapshot = snapshotOf(samples, namespace);
  }

  get state(): "up" | "down" | "no metrics" {
    const up = this.samples.find(({ labels }) => labels.__name__ === "up");
    if (up?.value !== 1) return "down";
    return this.#value("mirror_readiness_observed_seconds") === undefined
      ? "no metrics"
      : "up";
  }

  /** Why its evidence is missing. */
  get complaint(): string | undefined {
    if (this.state === "down") return `${this.instance} is down`;
    if (this.state === "no metrics") {
      return `${this.instance} has no metrics of this program`;
    }
    return this.pairs.length === 0
      ? `${this.instance} mirrors nothing`
      : undefined;
  }

  get version(): string | null {
    return this.#series("build_info")[0]?.labels.version ?? null;
  }

  get limits(): Thresholds | undefined {
    return thresholdsFrom(
      new Map(
        this.#series("mirror_readiness_limit")
          .map(({ labels, value }) => [labels.limit ?? "", value]),
      ),
    );
  }

  get observedHours(): number {
    return (this.#value("mirror_readiness_observed_seconds") ?? 0) / 3_600;
  }

  get metricsEnabled(): boolean {
    return this.#value("mirror_metrics_enabled") === 1;
  }

  get compareMode(): string {
    return this.#series("mirror_compare_mode")
      .find(({ value }) => value === 1)?.labels.mode ?? "unknown";
  }

  /** Configured pairs, with traffic or without. */
  get pairs(): Pair[] {
    return this.#series("mirror_readiness_statements")
      .filter(({ labels }) => labels.latency === "tested")
      .map(({ labels: { database = "", mirror = "" } }) => ({
        database,
        mirror,
      }));
  }

  get evidence(): Evidence {
    return gatherFrom([this], this.#namespace);
  }

  mirrors({ database, mirror }: Pair): boolean {
    return this.pairs.some((pair) =>
      pair.database === database && pair.mirror === mirror
    );
  }

  latency(which: "tested" | "slower" | "unjudged", of?: Pair): number {
    return this.#sum("mirror_readiness_statements", "latency", which, of);
  }

  shapes(which: keyof ShapeCounts, of?: Pair): number {
    return this.#sum("mirror_readiness_shapes", "comparison", which, of);
  }

  /** Of the pair, or of all. */
  levels(of?: Pair): string[] {
    return this.#series("mirror_readiness_level").filter(({ labels, value }) =>
      value === 1 && (of === undefined ||
        (labels.database === of.database && labels.mirror === of.mirror))
    ).map(({ labels }) => labels.level ?? "");
  }

  get stalledSeconds(): number {
    return this.#value("mirror_readiness_stalled_seconds") ?? 0;
  }

  /** A mirror is paused: the one of the pair, or any. */
  paused(of?: Pair): boolean {
    return this.#series("mirror_paused").some(({ labels, value }) =>
      value === 1 && (of === undefined ||
        (labels.database === of.database && labels.mirror === of.mirror))
    );
  }

  #sum(name: string, label: string, value: string, of?: Pair): number {
    return this.#series(name).filter(({ labels }) =>
      labels[label] === value && (of === undefined ||
        (labels.database === of.database && labels.mirror === of.mirror))
    ).reduce((total, series) => total + series.value, 0);
  }

  #series(name: string) {
    return this.#snapshot.get(name)?.series ?? [];
  }

  #value(name: string): number | undefined {
    return this.#series(name)[0]?.value;
  }
}

/** The evidence of these proxies together. */
export function gatherFrom(
  proxies: readonly Proxy[],
  namespace: string,
  of?: Pair,
): Evidence {
  const samples = proxies.flatMap((proxy) => proxy.samples);
  const modes = proxies.map(({ compareMode }) => compareMode);
  const hours = proxies.map(({ observedHours }) => observedHours);
  const shapes = (which: keyof ShapeCounts) =>
    proxies.reduce((sum, proxy) => sum + proxy.shapes(which, of), 0);
  const levels = [...new Set(proxies.flatMap((proxy) => proxy.levels(of)))];
  return gather(snapshotOf(samples, namespace), {
    statements: [],
    shapes: {
      seen: shapes("seen"),
      different: shapes("different"),
      uncompared: shapes("uncompared"),
    },
    level: levels.length > 1 ? "mixed" : levels[0] ?? "all",
    stalledSeconds: Math.max(
      0,
      ...proxies.map(({ stalledSeconds }) => stalledSeconds),
    ),
    paused: proxies.some((proxy) => proxy.paused(of)),
    observedHours: hours.length === 0 ? 0 : Math.min(...hours),
    metricsEnabled: proxies.every(({ metricsEnabled }) => metricsEnabled),
    compareMode: modes.find((mode) => mode !== "rows") ?? modes[0] ?? "unknown",
  }, of);
}
