/**
 * The main thread: plugins, workers, console and HTTP. It never touches user
 * traffic.
 *
 * @module
 */

import {
  checkPortFree,
  ListenError,
  listenProblem,
  listenUnix,
  type UnixListener,
} from "./addresses.ts";
import {
  adminCommands,
  type AdminLogin,
  type AdminServer,
  controlCommands,
  startAdmin,
} from "../admin/mod.ts";
import { createAuthSettings } from "./auth_settings.ts";
import { Certificates } from "./certificates.ts";
import type { Config, Loaded } from "../config/mod.ts";
import type { MirrorFacts } from "../mailbox/mod.ts";
import { descriptorLimit, requireDescriptors } from "./descriptors.ts";
import { type HttpServer, startHttp } from "../http/mod.ts";
import {
  isSupportedPlatform,
  nextDescriptor,
  socketAddress,
} from "../io/mod.ts";
import { type Lookup, resolveNames } from "./names.ts";
import { type Effect, Operations } from "./operations.ts";
import { type Logger, type Plugin, PluginHost } from "../plugin/mod.ts";
import { replicaWarning } from "./replica_warning.ts";
import { mostMirrors, Routing, type WorkerSettings } from "./routing.ts";
import { createAdminControl, createAdminSources } from "./console_sources.ts";
import {
  ClientState,
  ConnectionTable,
  createConnectionTable,
} from "../stats/connection_table.ts";
import {
  ChanceColumnStore,
  EvidenceWindow,
  ExclusionStore,
  Registry,
  StatementStore,
  type StatementSummary,
  type StatsSnapshot,
} from "../stats/mod.ts";
import { VERSION } from "./version.ts";
import { Workers } from "./workers.ts";

/** Client connections of one proxy worker. */
const MAX_CLIENTS = 16_384;
/** Lanes that SHOW SERVERS can list. */
const MAX_LANES = 16_384;
const LOOPBACK = "127.0.0.1";

/** What a supervisor runs with. */
export interface SupervisorOptions {
  readonly config: Config;
  readonly plugins: readonly Plugin[];
  /** Where the user's own plugins came from, by id. */
  readonly pluginPaths?: Readonly<Record<string, string>>;
  readonly logger: (category: string) => Logger;
  /** The folder of the configuration file. Default: the working folder. */
  readonly configFolder?: string;
  /** SHUTDOWN was asked for on the admin console. */
  readonly onShutdownRequest: () => void;
  /** Reads the configuration anew, for RELOAD; without it there is none. @throws {ConfigError} */
  readonly readConfig?: () => Promise<Loaded>;
  /** Another configuration is in force. */
  readonly onReloaded?: (config: Config) => void;
  /** Default: the system's resolver. */
  readonly lookup?: Lookup;
}

/** A running proxy. */
export interface Supervisor {
  readonly port: number;
  /** 0 if there is none. */
  readonly adminPort: number;
  /** 0 if there is none. */
  readonly httpPort: number;
  snapshot(): StatsSnapshot;
  /** What is known of each fingerprint; at most a second old. */
  statements(): readonly StatementSummary[];
  /**
   * Reads the configuration anew and puts it in force, whole or not at all.
   *
   * @returns what became of each key that differs.
   * @throws {ConfigError} then nothing has changed; the log has it too.
   */
  reload(): Promise<readonly Effect[]>;
  /**
   * Drains: no new clients, open transactions may end until `timeoutMs`, then
   * 57P01; what is queued for the mirror is replayed until then, else counted.
   */
  stop(timeoutMs: number): Promise<void>;
}

/**
 * Starts the proxy and returns when every worker accepts connections.
 *
 * @throws {ListenError} if a port is taken.
 * @throws {Error} on an unsupported platform, an unknown host, or a plugin that can't be created.
 */
export async function startSupervisor(
  options: SupervisorOptions,
): Promise<Supervisor> {
  if (!isSupportedPlatform()) {
    throw new Error(
      `PgDog Mirror runs on Linux x64 and arm64, this is ${Deno.build.os} ${Deno.build.arch}`,
    );
  }
  const supervisor = new RunningSupervisor(options);
  try {
    await supervisor.start();
  } catch (error) {
    await supervisor.stop(0);
    throw error;
  }
  return supervisor;
}

class RunningSupervisor implements Supervisor {
  port = 0;
  adminPort = 0;
  httpPort = 0;
  readonly #options: SupervisorOptions;
  readonly #registry = new Registry();
  readonly #statements = new StatementStore();
  readonly #chanceColumns = new ChanceColumnStore();
  readonly #exclusions = new ExclusionStore();
  /** Of servers, by the name of their database. */
  readonly #versions = new Map<string, string>();
  readonly #log: Logger;
  readonly #startedAt = Date.now();
  readonly #window = new EvidenceWindow(this.#startedAt);
  /** Its number among those wanted. */
  #windowNumber = 0;
  readonly #uptimeMs = stopwatch();
  readonly #operations: Operations;
  #host: PluginHost | undefined;
  #routing: Routing | undefined;
  #workers: Workers | undefined;
  #certificates: Certificates | undefined;
  #unix: UnixListener | undefined;
  #consoles: AdminServer[] = [];
  #http: HttpServer | undefined;
  #draining = false;
  #stopping: Promise<void> | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#log = options.logger("supervisor");
    this.#operations = new Operations({
      config: options.config,
      readConfig: options.readConfig,
      lookup: options.lookup,
      log: this.#log,
      prepare: async (config) => {
        await this.#certificates?.reload(config);
      },
      apply: () => this.#apply(),
    });
  }

  snapshot(): StatsSnapshot {
    return this.#registry.snapshot();
  }

  statements(): readonly StatementSummary[] {
    return this.#statements.all();
  }

  reload(): Promise<readonly Effect[]> {
    return this.#operations.reload();
  }

  async start(): Promise<void> {
    const { config, plugins, logger } = this.#options;
    const { general } = config;
    checkPortFree(general.host, general.port);
    const certificates = this.#certificates = await Certificates.create(
      config,
      logger("tls"),
      () => void this.#operations.applyAgain(),
    );
    const workers = general.workers || defaultProxyWorkers();
    const clientTables = Array.from(
      { length: workers },
      () => createConnectionTable(MAX_CLIENTS),
    );
    const lanes = createConnectionTable(MAX_LANES);
    const views = clientTables.map((memory) => new ConnectionTable(memory));
    this.#declare(views);
    const host = this.#host = new PluginHost({
      plugins,
      registry: this.#registry,
      statements: this.#statements,
      chanceColumns: this.#chanceColumns,
      exclusions: this.#exclusions,
      versions: this.#versions,
      config: config.plugins,
      general: this.#operations.general,
      httpProtected: general.http_token !== undefined,
      version: VERSION,
      startedAt: this.#startedAt,
      uptimeMs: this.#uptimeMs,
      window: this.#window,
      mirrors: this.#operations.mirrors,
      levelOf: (pair) => this.#operations.levelOf(pair),
      ignoreRules: this.#operations.ignoreRules,
      excludeRules: this.#operations.excludeRules,
      isPaused: (pair) => this.#operations.isPaused(pair),
      configFolder: this.#options.configFolder ?? ".",
      mirroringConfig: () => this.#operations.mirroringConfig,
      logger: (id) => logger(`plugin.${id}`),
    });
    const stats = this.#registry.freeze({ stripes: workers + 1 });
    this.#startConsoles(host, views, new ConnectionTable(lanes));
    this.#routing = new Routing({
      adminPort: this.#consoles[0]?.port ?? 0,
      workers,
      descriptors: descriptorLimit(),
      tls: (name) => certificates.server(name),
      material: () => certificates.material,
      auth: createAuthSettings(),
    });
    await this.#operations.begin(host);
    const { addresses } = await resolveNames([general.host], new Map());
    const listen = addresses.get(general.host);
    if (listen === undefined) {
      throw new Error(`Host "${general.host}" has no address`);
    }
    if (general.unix_socket_dir !== "") {
      this.#unix = await listenUnix(general.unix_socket_dir, general.port);
    }
    this.#workers = new Workers({
      listen: socketAddress(listen, general.port),
      unixListener: this.#unix?.descriptor ?? -1,
      stats,
      probes: host.probes,
      clientTables,
      lanes,
      statements: this.#statements,
      chanceColumns: this.#chanceColumns,
      exclusions: this.#exclusions,
      logger,
      onVersion: (database, version) => this.#versions.set(database, version),
      onFacts: (database, mirror, facts) =>
        this.#onFacts(database, mirror, facts),
      onWindow: (number, worker) => this.#beginWindow(number, worker),
      onUnreachable: () => this.#operations.unreachable(),
      onFailed: (worker, error) =>
        this.#log.error("A worker has failed", { worker, error }),
    });
    const settings = this.#settings();
    const { maxDescriptors, routes } = settings.proxy;
    const [limit, next] = [descriptorLimit(), nextDescriptor()];
    const open = next < 0 ? limit : next;
    requireDescriptors(limit, workers, mostMirrors(routes), open);
    if (2 * general.max_clients > maxDescriptors) {
      this.#log.warn(
        "max_clients is more than there are descriptors for: raise the limit of open files (LimitNOFILE)",
        { maxClients: general.max_clients, forClients: maxDescriptors },
      );
    }
    await this.#workers.start(settings);
    this.port = general.port;
    await host.start();
    this.#startHttp(host);
  }

  stop(timeoutMs: number): Promise<void> {
    this.#stopping ??= this.#stop(timeoutMs);
    return this.#stopping;
  }

  async #stop(timeoutMs: number): Promise<void> {
    this.#draining = true;
    this.#operations.close();
    await this.#workers?.stop(timeoutMs);
    await this.#host?.close();
    await Promise.all(this.#consoles.map((console) => console.close()));
    await this.#http?.close();
    this.#workers?.terminate();
    this.#certificates?.close();
    await this.#unix?.close();
  }

  #settings(): WorkerSettings {
    const { config, addresses, paused, window } = this.#operations;
    const routing = this.#routing as Routing; // made before the workers
    return routing.settings(config, addresses, paused, window.number);
  }

  /** @param worker the mirror worker's counts of that moment; without it as they are. */
  #beginWindow(
    number: number,
    worker?: { readonly stripe: number; readonly cells: Float64Array },
  ): void {
    const { window } = this.#operations;
    if (number !== window.number) return;
    const total = this.#registry.snapshot(worker);
    if (number === this.#windowNumber) {
      // The mirror worker was waited for in vain, and begins only now.
      if (worker === undefined) return;
      this.#statements.forgetOwn();
      this.#window.beginLater(total);
      return;
    }
    this.#windowNumber = number;
    const uptimeMs = this.#uptimeMs();
    this.#window.sample(total, uptimeMs);
    const ended = {
      hours: this.#window.endedHours(),
      total,
      counted: this.#window.counted(total),
      statements: this.#statements.begin(),
    };
    const since = Math.round(this.#startedAt + uptimeMs);
    this.#window.begin(total, { since, because: window.because }, uptimeMs);
    this.#host?.windowEnded(ended);
  }

  /** Another configuration is in force: tell everybody. */
  async #apply(): Promise<void> {
    const { config } = this.#operations;
    this.#options.onReloaded?.(config);
    for (const console of this.#consoles) {
      console.setLogin(adminLogin(config));
    }
    await this.#workers?.apply(this.#settings());
    // A mirror worker that is not there, or has died, does not tell.
    this.#beginWindow(this.#operations.window.number);
  }

  #declare(clients: readonly ConnectionTable[]): void {
    this.#registry.declare({
      name: "clients",
      help: "Client connections",
      type: "gauge",
      scope: "process",
      derive: () => clients.reduce((sum, table) => sum + table.used, 0),
    });
    this.#registry.declare({
      name: "clients_in_transaction",
      help: "Client connections that are idle in a transaction",
      type: "gauge",
      scope: "process",
      derive: () =>
        clients.reduce(
          (sum, table) => sum + table.inState(ClientState.idleInTransaction),
          0,
        ),
    });
    this.#registry.declare({
      name: "mirror_paused",
      help: "1 while the mirror is paused",
      type: "gauge",
      scope: "process",
      sets: this.#operations.mirrors,
      derive: (_get, _label, pair) =>
        this.#operations.paused.has(pair?.mirror ?? "") ? 1 : 0,
    });
  }

  #startConsoles(
    host: PluginHost,
    clients: readonly ConnectionTable[],
    lanes: ConnectionTable,
  ): void {
    const { config, logger, onShutdownRequest } = this.#options;
    const { general, admin } = config;
    const control = controlCommands(createAdminControl(this.#operations));
    const commands = adminCommands(
      createAdminSources({
        config: () => this.#operations.config,
        routes: () => this.#routing?.routes ?? [],
        clients,
        lanes,
        plugins: () => host.status,
        pluginPaths: this.#options.pluginPaths ?? {},
        shutdown: onShutdownRequest,
      }),
      host.commands,
      control,
    );
    const options = {
      name: admin.name,
      ...adminLogin(config),
      commands,
      control,
      log: logger("admin"),
      version: VERSION,
    };
    // The main port reaches the console through this one, as if it were a primary.
    this.#consoles.push(startAdmin({ ...options, host: LOOPBACK, port: 0 }));
    if (general.admin_port === 0) return;
    try {
      this.#consoles.push(
        startAdmin({
          ...options,
          host: general.host,
          port: general.admin_port,
        }),
      );
    } catch (cause) {
      throw new ListenError(
        listenProblem(general.host, general.admin_port, cause),
        { cause },
      );
    }
    this.adminPort = general.admin_port;
  }

  #startHttp(host: PluginHost): void {
    const { general } = this.#options.config;
    if (general.openmetrics_port === 0) return;
    try {
      this.#http = startHttp({
        host: general.openmetrics_host,
        port: general.openmetrics_port,
        routes: host.routes,
        health: () => this.#health(),
        token: general.http_token,
        log: this.#options.logger("http"),
      });
    } catch (cause) {
      if (cause instanceof TypeError) throw cause;
      throw new ListenError(
        listenProblem(
          general.openmetrics_host,
          general.openmetrics_port,
          cause,
        ),
        { cause },
      );
    }
    this.httpPort = this.#http.port;
  }

  #health() {
    const dead = this.#workers?.dead ?? [];
    if (dead.length > 0) {
      const reason = `worker ${dead.join(", ")} has failed`;
      // Without the mirror worker clients are still served.
      const live = !dead.some((name) => name.startsWith("proxy"));
      return { live, ready: live, reason };
    }
    return this.#draining
      ? { live: true, ready: false, reason: "draining" }
      : { live: true, ready: true };
  }

  /** A mirror has said what it is: warn of what can't work. */
  #onFacts(database: string, mirror: string, facts: MirrorFacts): void {
    this.#versions.set(mirror, facts.version);
    const pair = this.#operations.config.mirroring.find((m) =>
      m.source_db === database && m.destination_db === mirror
    );
    const level = pair?.level ?? "all";
    const warning = replicaWarning(facts, level);
    if (warning !== undefined) this.#log.warn(warning, { mirror, level });
  }
}

function stopwatch(): () => number {
  const began = performance.now();
  return () => performance.now() - began;
}

/** The mirror worker wants a core of its own, and fewer proxy workers have more to do in each turn. */
function defaultProxyWorkers(): number {
  return Math.max(1, navigator.hardwareConcurrency - 1);
}

function adminLogin({ admin }: Config): AdminLogin {
  const { user, password, stats_user, stats_password } = admin;
  return {
    user,
    password,
    stats: { user: stats_user, password: stats_password },
  };
}
