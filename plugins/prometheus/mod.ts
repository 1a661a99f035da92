/**
 * The registry at `/metrics`, in Prometheus' text format or in OpenMetrics.
 *
 * @module
 */

import { z } from "zod";
import type {
  Plugin,
  PluginContext,
  PluginInstance,
} from "../../src/plugin/api.ts";
import { encode } from "./encode.ts";
import { buildInfo, registryFamilies } from "./families.ts";
import { acceptedFormat, CONTENT_TYPES } from "./format.ts";
import { ProcessMetrics } from "./process_metrics.ts";
import { TopStatements } from "./top_statements.ts";

/** Host, port and namespace are in `[general]`. */
const schema = z.strictObject({
  /** Statements of each mirror that have series of their own: the worst, then the most called. */
  top_statements: z.int().min(0).max(1_000).default(0),
});

type PrometheusConfig = z.output<typeof schema>;

/** The plugin; see `plugins/README.md`. */
export const prometheus: Plugin<PrometheusConfig> = {
  id: "prometheus",

  parseConfig(raw) {
    const result = schema.safeParse(raw ?? {});
    if (result.success) return result.data;
    const [issue] = result.error.issues;
    throw new TypeError(
      `[plugins.prometheus] ${issue?.path.join(".")} ${issue?.message}`,
    );
  },

  create(config, context: PluginContext): PluginInstance {
    const namespace = String(context.general.openmetrics_namespace ?? "");
    const process = new ProcessMetrics();
    const top = new TopStatements(config.top_statements);
    return {
      start() {
        process.start();
        return Promise.resolve();
      },
      onWindow: () => top.begin(),
      onSample: () => top.update(context.stats.statements()),
      routes: [{
        path: "/metrics",
        async handle(request) {
          const ofProcess = await process.families();
          top.update(context.stats.statements());
          const format = acceptedFormat(request.headers.get("accept"));
          const text = encode([
            ...registryFamilies(context.stats.snapshot(), namespace),
            ...top.families(namespace),
            buildInfo(context, namespace),
            ...ofProcess,
          ], format);
          // As bytes: a string of megabytes would be encoded twice on its way out.
          return new Response(new TextEncoder().encode(text), {
            headers: { "content-type": CONTENT_TYPES[format], vary: "accept" },
          });
        },
      }],
    };
  },
};
