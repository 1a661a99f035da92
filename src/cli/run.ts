import { dirname } from "node:path";
import { formatProblem, loadConfig } from "../config/mod.ts";
import { unblockHangup } from "../io/mod.ts";
import { configureLog, createLogger } from "../log/mod.ts";
import type { Plugin } from "../plugin/mod.ts";
import { startSupervisor } from "../control/supervisor.ts";
import { ledgerLine } from "./ledger_line.ts";
import type { Signals } from "./signals.ts";
import { loadUserPlugins } from "./user_plugins.ts";

/** What `run` needs. */
export interface RunOptions {
  readonly configPath: string;
  /** More `[[users]]`. */
  readonly usersPath?: string | undefined;
  readonly plugins: readonly Plugin[];
  /** They have been caught since the process began. */
  readonly signals: Signals;
}

/** Runs the proxy until SIGTERM, SIGINT or SHUTDOWN; a second signal ends it at once; SIGHUP is RELOAD. */
export async function run(options: RunOptions): Promise<number> {
  const { configPath, signals } = options;
  const { config, warnings } = await loadConfig({
    path: configPath,
    usersPath: options.usersPath,
    env: Deno.env.toObject(),
  });
  const { general } = config;
  configureLog({ level: general.log_level, format: general.log_format });
  const log = createLogger("run");
  for (const warning of warnings) log.warn(formatProblem(warning));
  const userPlugins = await loadUserPlugins(config, configPath);

  // A rejection that nobody waits for, in a plugin's own timer for instance,
  // would end the process, and every client's connection with it.
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    log.error("Unhandled rejection", { error: String(event.reason) });
  });
  const asked = Promise.withResolvers<string>();
  const supervisor = await startSupervisor({
    config,
    plugins: [...options.plugins, ...userPlugins],
    pluginPaths: Object.fromEntries(
      userPlugins.map(({ id }, i) => [id, config.plugin[i]?.path ?? ""]),
    ),
    configFolder: dirname(configPath),
    logger: createLogger,
    onShutdownRequest: () => asked.resolve("SHUTDOWN"),
    readConfig: () =>
      loadConfig({
        path: configPath,
        usersPath: options.usersPath,
        env: Deno.env.toObject(),
      }),
    onReloaded: ({ general: { log_level: level, log_format: format } }) =>
      configureLog({ level, format }),
  });
  // A configuration that can't be taken is in the log, and the old one in force.
  signals.onReload(() => supervisor.reload().then(() => {}, () => {}));
  unblockHangup();
  log.info("Accepting connections", {
    host: general.host,
    port: supervisor.port,
    adminPort: supervisor.adminPort,
    httpPort: supervisor.httpPort,
  });
  const reason = await Promise.race([signals.stop, asked.promise]);
  log.info("Draining", { reason, timeoutMs: general.shutdown_timeout });
  await Promise.race([
    supervisor.stop(general.shutdown_timeout),
    signals.again,
  ]);
  log.info("Final ledger", ledgerLine(supervisor.snapshot()));
  return 0;
}
