/**
 * The web page at `/`, and `/live`, the JSON that it and `pgdog-mirror top` poll.
 *
 * @module
 */

import type {
  Plugin,
  PluginContext,
  PluginInstance,
} from "../../src/plugin/api.ts";
import { assetRoutes } from "./assets.ts";
import { liveDocument } from "./live.ts";
import { Recent } from "./recent.ts";
import { allPairs } from "./series.ts";

/** It has no settings of its own: host, port and token are in `[general]`. */
type DashboardConfig = Record<never, never>;

/** The plugin; see `plugins/README.md`. */
export const dashboard: Plugin<DashboardConfig> = {
  id: "dashboard",
  needs: ["mirror_requests_total", "statement_duration_seconds"],

  parseConfig(raw) {
    const unknown = Object.keys((raw ?? {}) as Record<string, unknown>)[0];
    if (unknown !== undefined) {
      throw new TypeError(`[plugins.dashboard] has no key "${unknown}"`);
    }
    return {};
  },

  create(_config, context: PluginContext): PluginInstance {
    const recent = new Recent();
    return {
      onSample: (snapshot) =>
        recent.sample(snapshot, allPairs(context.mirrors, snapshot)),
      routes: [...assetRoutes(), {
        path: "/live",
        handle(request) {
          const since = Number(
            new URL(request.url).searchParams.get("since") ?? 0,
          );
          return Response.json(
            liveDocument(context, recent, Number.isFinite(since) ? since : 0),
          );
        },
      }],
    };
  },
};
