import { loadConfig } from "../../config/mod.ts";
import { configureLog, createLogger } from "../../log/mod.ts";
import type { Plugin } from "../../plugin/mod.ts";
import { startSupervisor } from "../../control/supervisor.ts";
import { demo as runDemo, type DemoOptions, type DemoProxy } from "./mod.ts";

export interface DemoCommandOptions extends DemoOptions {
  readonly plugins: readonly Plugin[];
}

/** `pgdog-mirror demo`: the demo with the proxy of this program, in this process. */
export async function demo(options: DemoCommandOptions): Promise<number> {
  await runDemo(options, (path) => startProxy(path, options.plugins));
  return 0;
}

async function startProxy(
  path: string,
  plugins: readonly Plugin[],
): Promise<DemoProxy> {
  // Without the environment: PGDOG_* is for the user's own proxy.
  const { config } = await loadConfig({ path, env: {} });
  const { general } = config;
  configureLog({ level: general.log_level, format: general.log_format });
  const supervisor = await startSupervisor({
    config,
    plugins,
    logger: createLogger,
    onShutdownRequest: () => Deno.kill(Deno.pid, "SIGTERM"),
  });
  const { openmetrics_host: host } = general;
  return {
    port: supervisor.port,
    adminPort: supervisor.adminPort,
    pageUrl: `http://${host}:${supervisor.httpPort}/`,
    snapshot: () => supervisor.snapshot(),
    stop: () => supervisor.stop(general.shutdown_timeout),
  };
}
