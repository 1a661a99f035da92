/**
 * The part that needs OpenTelemetry's packages: loaded only if the plugin is on.
 *
 * @module
 */

import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  MeterProvider,
  type MetricProducer,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
  type ResourceMetrics,
} from "@opentelemetry/sdk-metrics";
import type { PluginContext } from "../../src/plugin/api.ts";
import type { OtlpConfig } from "./config.ts";
import { metricData } from "./metric_data.ts";
import type { ExportOutcomes } from "./outcomes.ts";

/** Time for the last export at the end, and for one in progress. */
const CLOSE_TIMEOUT_MS = 2_000;
/** Beyond its own timeout; then its answer is not waited for any more. */
const GRACE_MS = 500;

/** A running export. */
export interface RunningExport {
  /** Exports once more, for at most two seconds. */
  close(): Promise<void>;
}

/**
 * Exports every `interval_ms`. The SDK's periodic reader has the timer and one
 * export at a time, the OTLP exporter the protocol and its retries; their
 * errors end in `outcomes`.
 */
export function startExport(
  config: OtlpConfig,
  context: PluginContext,
  outcomes: ExportOutcomes,
): RunningExport {
  const reader = new PeriodicExportingMetricReader({
    exporter: new CountingExporter(config, outcomes),
    exportIntervalMillis: config.interval_ms,
    exportTimeoutMillis: config.interval_ms,
    metricProducers: [producer(context)],
  });
  const { host, port } = context.general;
  const provider = new MeterProvider({
    resource: resourceFromAttributes({
      "service.name": "pgdog-mirror",
      "service.version": context.version,
      // The same after a restart: it is the same instance.
      "service.instance.id": `${Deno.hostname()}:${host}:${port}`,
    }),
    readers: [reader],
  });
  return {
    async close() {
      try {
        await provider.shutdown({ timeoutMillis: CLOSE_TIMEOUT_MS });
      } catch {
        // The collector is away; that is counted.
      }
    },
  };
}

/**
 * The SDK has no observable histograms: what is aggregated already comes in
 * through a producer.
 */
function producer(context: PluginContext): MetricProducer {
  const scope = { name: "pgdog-mirror", version: context.version };
  const namespace = String(context.general.openmetrics_namespace ?? "");
  const { startedAt } = context;
  return {
    collect() {
      const metrics = metricData(context.stats.snapshot(), {
        namespace,
        startedAt,
      });
      return Promise.resolve({
        // The provider's resource is taken instead.
        resourceMetrics: {
          resource: resourceFromAttributes({}),
          scopeMetrics: [{ scope, metrics }],
        },
        errors: [],
      });
    },
  };
}

/** OpenTelemetry's exporter, each of its results counted once. */
class CountingExporter implements PushMetricExporter {
  readonly #inner: OTLPMetricExporter;
  readonly #outcomes: ExportOutcomes;
  readonly #timeoutMs: number;

  constructor(config: OtlpConfig, outcomes: ExportOutcomes) {
    const { endpoint, headers, timeout_ms } = config;
    this.#inner = new OTLPMetricExporter({
      url: endpoint,
      headers,
      timeoutMillis: timeout_ms,
    });
    this.#outcomes = outcomes;
    this.#timeoutMs = timeout_ms + GRACE_MS;
  }

  export(
    metrics: ResourceMetrics,
    done: (result: ExportResult) => void,
  ): void {
    let isSettled = false;
    const settle = (result: ExportResult) => {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(timer);
      if (result.code === ExportResultCode.SUCCESS) this.#outcomes.succeeded();
      else this.#outcomes.failed(result.error?.message || "no reason given");
      done(result);
    };
    const failed = (error: unknown) =>
      settle({
        code: ExportResultCode.FAILED,
        error: error instanceof Error ? error : new Error(String(error)),
      });
    // The exporter's own timeout is about silence: an answer that drips outlasts it.
    const timer = setTimeout(
      () => failed(new Error("Export timed out")),
      this.#timeoutMs,
    );
    try {
      this.#inner.export(metrics, settle);
    } catch (error) {
      failed(error);
    }
  }

  forceFlush(): Promise<void> {
    return this.#inner.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.#inner.shutdown();
  }
}
