import type { Logger, Plugin } from "../../src/plugin/api.ts";
import { PluginHost, type PluginHostOptions } from "../../src/plugin/mod.ts";
import {
  EvidenceWindow,
  Registry,
  StatementStore,
} from "../../src/stats/mod.ts";

/** A plugin that does nothing but what is given. */
export function plugin(id: string, parts: Partial<Plugin> = {}): Plugin {
  return { id, parseConfig: (raw) => raw, create: () => ({}), ...parts };
}

/** A host of these plugins, and what it logs. */
export function hostOf(
  plugins: readonly Plugin[],
  options: Partial<PluginHostOptions> = {},
) {
  const registry = options.registry ?? new Registry();
  const logs: string[] = [];
  const host = new PluginHost({
    plugins,
    registry,
    statements: new StatementStore(),
    config: {},
    general: {},
    version: "1.2.3",
    startedAt: 1_000,
    window: new EvidenceWindow(1_000),
    mirrors: [],
    logger: (id) => memoryLogger(id, logs),
    ...options,
  });
  return { host, registry, logs };
}

function memoryLogger(id: string, logs: string[]): Logger {
  const write = (level: string) =>
  (
    message: string,
    properties: Record<string, unknown> = {},
  ) => {
    logs.push(`${level} ${id}: ${message} ${JSON.stringify(properties)}`);
  };
  return {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
  };
}
