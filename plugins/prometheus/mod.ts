/**
 * The registry in Prometheus' text format, on prom-client.
 *
 * @module
 */

import { collectDefaultMetrics, type Metric, Registry } from "prom-client";
import type {
  MetricSnapshot,
  Plugin,
  PluginContext,
  PluginInstance,
  StatsSnapshot,
} from "../../src/plugin/api.ts";

/** It has no settings of its own: host, port and namespace are in `[general]`. */
type PrometheusConfig = Record<never, never>;

/** The plugin; see `plugins/README.md`. */
export const prometheus: Plugin<PrometheusConfig> = {
  id: "prometheus",

  parseConfig(raw) {
    const unknown = Object.keys((raw ?? {}) as Record<string, unknown>)[0];
    if (unknown !== undefined) {
      throw new TypeError(`[plugins.prometheus] has no key "${unknown}"`);
    }
    return {};
  },

  create(_config, context: PluginContext): PluginInstance {
    const process = new Registry();
    return {
      start() {
        collectProcessMetrics(process);
        return Promise.resolve();
      },
      routes: [{
        path: "/metrics",
        async handle() {
          const registry = new Registry();
          for (
            const metric of [
              ...ours(context.stats.snapshot(), context),
              ...process.getMetricsAsArray() as unknown as Exposed[],
            ]
          ) expose(registry, metric);
          return new Response(await registry.metrics(), {
            headers: { "content-type": registry.contentType },
          });
        },
      }],
    };
  },
};

/**
 * prom-client's default metrics, as far as Deno gives them true values: those of
 * the process. `nodejs_*` would be wrong: Deno's monitorEventLoopDelay does not
 * see a blocked loop (tried: 1 ms for a block of 300 ms), there are no GC
 * events, and the heap is the main thread's only, not the workers'.
 */
function collectProcessMetrics(registry: Registry): void {
  // It can't be told to leave the event loop alone; the default looks 100 times a second.
  const eventLoopMonitoringPrecision = 3_600_000;
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision });
  for (const { name } of registry.getMetricsAsArray()) {
    if (!name.startsWith("process_")) registry.removeSingleMetric(name);
  }
}

/** What prom-client's registry asks of a metric. */
interface Exposed {
  readonly name: string;
  readonly type: string;
  get(): Promise<PromValues>;
}

interface PromValues {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly values: readonly PromValue[];
}

interface PromValue {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  /** Written once per object, not once per bucket. */
  readonly sharedLabels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The first one has the name: a plugin's metric must not end the exposition. */
function expose(registry: Registry, metric: Exposed): void {
  if (registry.getSingleMetric(metric.name) !== undefined) return;
  // Its declaration asks for a class of prom-client's; the code does not.
  registry.registerMetric(metric as unknown as Metric);
}

/** All metrics of one snapshot, so that they agree with each other. */
function ours(snapshot: StatsSnapshot, context: PluginContext): Exposed[] {
  const namespace = String(context.general.openmetrics_namespace ?? "");
  const buildInfo = `${namespace}build_info`;
  return [
    ...snapshot.metrics
      .filter(({ spec }) => spec.internal !== true)
      .map((metric) => promValues(metric, namespace + metric.spec.name)),
    {
      name: buildInfo,
      help: "Always 1; the version is a label",
      type: "gauge",
      values: [{
        metricName: buildInfo,
        labels: { version: context.version },
        value: 1,
      }],
    },
  ].map((values) => ({
    name: values.name,
    type: values.type,
    get: () => Promise.resolve(values),
  }));
}

function promValues(
  { spec, series }: MetricSnapshot,
  name: string,
): PromValues {
  const { help, type, buckets = [] } = spec;
  const values = series.flatMap(({ labels, value, histogram }): PromValue[] => {
    if (histogram === undefined) return [{ metricName: name, labels, value }];
    const { counts, sum, count } = histogram;
    const sharedLabels = labels;
    let below = 0;
    return [
      ...counts.map((n, i): PromValue => ({
        metricName: `${name}_bucket`,
        labels: { le: buckets[i] ?? "+Inf" },
        sharedLabels,
        value: below += n,
      })),
      { metricName: `${name}_sum`, labels: {}, sharedLabels, value: sum },
      { metricName: `${name}_count`, labels: {}, sharedLabels, value: count },
    ];
  });
  return { name, help, type, values };
}
