/**
 * The registry pushed to an OpenTelemetry collector, over OTLP/HTTP as JSON.
 *
 * @module
 */

import type { Plugin } from "../../src/plugin/api.ts";
import { type OtlpConfig, parseOtlpConfig } from "./config.ts";
import type { RunningExport } from "./exporter.ts";
import { ExportOutcomes } from "./outcomes.ts";

/**
 * The plugin; see `plugins/README.md`. It is off without a table
 * `[plugins.otlp]`, and then loads none of OpenTelemetry's packages.
 */
export const otlp: Plugin<OtlpConfig | undefined> = {
  id: "otlp",
  parseConfig: parseOtlpConfig,

  create(config, context) {
    if (config === undefined) return {};
    const outcomes = new ExportOutcomes(context.log, () => performance.now());
    context.stats.declare({
      name: "otlp_exports_total",
      help: "Exports that the collector has taken",
      type: "counter",
      scope: "process",
      derive: () => outcomes.exports,
    });
    context.stats.declare({
      name: "otlp_export_errors_total",
      help: "Exports that failed: the collector was away, slow or refused",
      type: "counter",
      scope: "process",
      derive: () => outcomes.errors,
    });
    let running: RunningExport | undefined;
    return {
      async start(signal) {
        const { startExport } = await import("./exporter.ts");
        if (signal.aborted) return;
        running = startExport(config, context, outcomes);
      },
      async close() {
        await running?.close();
      },
    };
  },
};
