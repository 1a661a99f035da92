/**
 * What the ledger did, once a minute, and every change of the verdict, in the
 * log. All of it is read from the registry.
 *
 * @module
 */

import { z } from "zod";
import type { Plugin, PluginInstance } from "../../src/plugin/api.ts";
import { LedgerChanges } from "./changes.ts";
import { VerdictWatch } from "./verdicts.ts";

const schema = z.strictObject({
  /** On by default: a proxy that nobody scrapes still leaves a trace of its work. */
  enabled: z.boolean().default(true),
  interval_ms: z.int().min(1_000).default(60_000),
});

type LogConfig = z.output<typeof schema>;

/** The plugin; see `plugins/README.md`. */
export const log: Plugin<LogConfig> = {
  id: "log",
  needs: ["mirror_requests_total", "mirror_statements_total"],

  parseConfig(raw) {
    const result = schema.safeParse(raw ?? {});
    if (result.success) return result.data;
    const [issue] = result.error.issues;
    throw new TypeError(
      `[plugins.log] ${issue?.path.join(".")} ${issue?.message}`,
    );
  },

  create(config, { log, stats, uptimeMs }): PluginInstance {
    if (!config.enabled) return {};
    const ledger = new LedgerChanges();
    const verdicts = new VerdictWatch();
    let saidMs = 0;
    const sayLedger = (snapshot: Parameters<LedgerChanges["take"]>[0]) => {
      for (const change of ledger.take(snapshot)) {
        log.info("Ledger", { ...change });
      }
    };
    return {
      onSample(snapshot) {
        const verdict = verdicts.look(snapshot);
        if (verdict !== undefined) log.info("Verdict changed", { ...verdict });
        const now = uptimeMs();
        if (now - saidMs < config.interval_ms) return;
        saidMs = now;
        sayLedger(snapshot);
      },
      close() {
        // What has happened since the last line would be lost.
        sayLedger(stats.snapshot());
        return Promise.resolve();
      },
    };
  },
};
