import type {
  MetricSpec,
  PluginContext,
  StatsSnapshot,
} from "../../src/plugin/api.ts";
import type { Evidence } from "./evidence.ts";
import { RecentMean } from "./recent_mean.ts";

/** A value that is watched: above its limit, a line and a gauge; below again, another line. */
interface Watch {
  readonly name: string;
  readonly what: string;
  /** Its limit's key in `[general]`. */
  readonly key: string;
  value(evidence: Evidence, snapshot: StatsSnapshot): number;
  crossed: boolean;
}

/** The seed's two alerts: `mirror_error_threshold` and `mirror_latency_threshold_ms`. */
export class Alerts {
  readonly #context: PluginContext;
  readonly #watches: readonly Watch[];

  constructor(context: PluginContext) {
    this.#context = context;
    const recent = new RecentMean();
    this.#watches = [
      {
        name: "errors",
        what: "Consecutive errors",
        key: "mirror_error_threshold",
        value: ({ consecutiveErrors }) => consecutiveErrors,
        crossed: false,
      },
      {
        name: "latency",
        what: "Average latency of the mirror in ms, over a minute",
        key: "mirror_latency_threshold_ms",
        value: (_evidence, snapshot) => recent.look(snapshot) ?? 0,
        crossed: false,
      },
    ];
  }

  get metrics(): MetricSpec[] {
    return [{
      name: "mirror_threshold_crossed",
      help: "1 while a threshold of the configuration is reached",
      type: "gauge",
      scope: "process",
      label: {
        name: "threshold",
        values: this.#watches.map(({ name }) => name),
      },
      derive: (_get, name) =>
        this.#watches.find((watch) => watch.name === name)?.crossed ? 1 : 0,
    }];
  }

  /** Logs what was crossed or recovered since the last look, once a second. */
  look(evidence: Evidence, snapshot: StatsSnapshot): void {
    for (const watch of this.#watches) {
      const value = watch.value(evidence, snapshot);
      const limit = Number(this.#context.general[watch.key]);
      const crossed = value >= limit;
      if (crossed === watch.crossed) continue;
      watch.crossed = crossed;
      const properties = { value, limit };
      if (crossed) {
        this.#context.log.warn(`${watch.what}: threshold reached`, properties);
      } else {
        this.#context.log.info(`${watch.what}: recovered`, properties);
      }
    }
  }
}
