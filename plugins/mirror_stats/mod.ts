/**
 * The ledger: what became of every transaction, for each mirror.
 *
 * @module
 */

import type {
  AdminCommand,
  Plugin,
  PluginContext,
  PluginInstance,
} from "../../src/plugin/api.ts";
import { METRICS } from "./metrics.ts";
import {
  mirrorRows,
  MIRRORS_COLUMNS,
  STATS_BY_DATABASE_COLUMNS,
  statsByDatabaseRows,
  statsRows,
} from "./show.ts";
import { Window } from "./window.ts";

/** It has no settings of its own. */
type MirrorStatsConfig = Record<never, never>;

/** The plugin; see `plugins/README.md`. */
export const mirrorStats: Plugin<MirrorStatsConfig> = {
  id: "mirror_stats",
  probe: new URL("./probe.ts", import.meta.url),

  parseConfig(raw) {
    const unknown = Object.keys((raw ?? {}) as Record<string, unknown>)[0];
    if (unknown !== undefined) {
      throw new TypeError(`[plugins.mirror_stats] has no key "${unknown}"`);
    }
    return {};
  },

  create(_config, context: PluginContext): PluginInstance {
    for (const spec of METRICS) context.stats.declare(spec);
    context.stats.declare({
      name: "mirror_queue_limit_bytes",
      help:
        "Bound of mirror_queue_bytes: from there on transactions are dropped",
      type: "gauge",
      scope: "process",
      derive: () => Number(context.general.mirror_queue_bytes ?? 0),
    });
    const window = new Window(context);
    return {
      commands: commands(context, window),
      onSample() {
        const { mirror_metrics_reset_interval } = context.general;
        const resetMs = Number(mirror_metrics_reset_interval) * 1e3;
        if (resetMs > 0 && context.uptimeMs() - window.sinceMs >= resetMs) {
          window.reset();
        }
      },
    };
  },
};

function commands(context: PluginContext, window: Window): AdminCommand[] {
  return [
    {
      words: "SHOW MIRRORS",
      help: "Each mirror and user: requests by outcome since the start",
      columns: MIRRORS_COLUMNS,
      rows: () => mirrorRows(context.stats.snapshot(), context),
    },
    {
      words: "SHOW MIRROR_STATS",
      help: "The ledger over all mirrors since the last RESET MIRROR_STATS",
      columns: [
        { name: "metric", type: "text", help: "Name" },
        { name: "value", type: "text", help: "Value; NULL if there is none" },
      ],
      rows: () => statsRows(window.totals(), context.general),
    },
    {
      words: "SHOW MIRROR_STATS_BY_DATABASE",
      help: "The ledger of each source database since the last RESET",
      columns: STATS_BY_DATABASE_COLUMNS,
      rows: () => statsByDatabaseRows(window, context.mirrors),
    },
    {
      words: "RESET MIRROR_STATS",
      help: "Begins a new window for SHOW; exported counters go on",
      columns: [],
      rows: () => {
        window.reset();
        return [];
      },
    },
  ];
}
