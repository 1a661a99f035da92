/**
 * The registry in Prometheus' text format, on prom-client.
 *
 * @module
 */

import { collectDefaultMetrics, Registry } from "prom-client";
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
    const defaults = new Registry();
    return {
      start() {
        collectDefaultMetrics({ register: defaults });
        return Promise.resolve();
      },
      close() {
        defaults.clear();
        return Promise.resolve();
      },
      routes: [{
        path: "/metrics",
        handle: async () => {
          const ours = exposition(context.stats.snapshot(), context);
          const text = await ours.metrics() + await defaults.metrics();
          return new Response(text, {
            headers: { "content-type": ours.contentType },
          });
        },
      }],
    };
  },
};

/** prom-client formats whatever has this shape; it is made anew for each scrape. */
interface PromMetric {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly aggregator: string;
  readonly values: readonly PromValue[];
}

interface PromValue {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

function exposition(snapshot: StatsSnapshot, context: PluginContext): Registry {
  const namespace = String(context.general.openmetrics_namespace ?? "");
  const registry = new Registry();
  const metrics = snapshot.metrics
    .filter(({ spec }) => spec.internal !== true)
    .map((metric) => toPromMetric(metric, namespace));
  const name = `${namespace}build_info`;
  metrics.push({
    name,
    help: "Always 1; the version is a label",
    type: "gauge",
    aggregator: "sum",
    values: [{
      metricName: name,
      labels: { version: context.version },
      value: 1,
    }],
  });
  for (const metric of metrics) {
    const registered = { ...metric, get: () => Promise.resolve(metric) };
    // registerMetric asks for a Metric of prom-client's; it uses name and get() only.
    registry.registerMetric(
      registered as unknown as Parameters<Registry["registerMetric"]>[0],
    );
  }
  return registry;
}

function toPromMetric(metric: MetricSnapshot, namespace: string): PromMetric {
  const { spec, series } = metric;
  const name = namespace + spec.name;
  return {
    name,
    help: spec.help,
    type: spec.type,
    aggregator: "sum",
    values: series.flatMap(({ labels, value, histogram }): PromValue[] => {
      if (histogram === undefined) return [{ metricName: name, labels, value }];
      let below = 0;
      const buckets = histogram.counts.map((count, i): PromValue => {
        below += count;
        return {
          metricName: `${name}_bucket`,
          labels: { ...labels, le: spec.buckets?.[i] ?? "+Inf" },
          value: below,
        };
      });
      return [
        ...buckets,
        { metricName: `${name}_sum`, labels, value: histogram.sum },
        { metricName: `${name}_count`, labels, value: histogram.count },
      ];
    }),
  };
}
