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
  resolveAddress,
} from "./addresses.ts";
import { adminCommands, type AdminServer, startAdmin } from "./admin/mod.ts";
import type { Config } from "./config/mod.ts";
import { Command, createMailbox, type MirrorFacts } from "./control/mailbox.ts";
import { type HttpServer, startHttp } from "./http/mod.ts";
import { createWake, isSupportedPlatform } from "./io/mod.ts";
import type { TargetSettings } from "./mirror/target.ts";
import type { MirrorInit } from "./mirror/worker.ts";
import { type Logger, type Plugin, PluginHost } from "./plugin/mod.ts";
import type { Route } from "./proxy/route.ts";
import type { ProxyInit } from "./proxy/worker.ts";
import { createRing } from "./ring/mod.ts";
import { replicaWarning } from "./replica_warning.ts";
import { limitSettings } from "./client_limits.ts";
import { authSettings } from "./auth_settings.ts";
import { createAdminSources } from "./sources.ts";
import { ClientTable, createClientTable } from "./stats/client_table.ts";
import {
  Registry,
  StatementStore,
  type StatementSummary,
  type StatsSnapshot,
} from "./stats/mod.ts";
import { TlsWorkers } from "./tls_workers.ts";
import { VERSION } from "./version.ts";
import { WorkerHandle } from "./worker_handle.ts";

/** Shared memory between a proxy worker and the mirror worker; it is drained all the time, so it need not hold a queue. */
const RING_BYTES = 4 * 1024 * 1024;
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
   * Takes the certificates and keys of `config` for connections to come.
   *
   * @throws {Error} naming each file that can't be used; all stays as it was.
   */
  reloadTls(config: Config): Promise<void>;
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
  /** Of servers, by the name of their database. */
  readonly #versions = new Map<string, string>();
  readonly #log: Logger;
  readonly #startedAt = Date.now();
  #host: PluginHost | undefined;
  #proxies: WorkerHandle[] = [];
  #mirror: WorkerHandle | undefined;
  #tls: TlsWorkers | undefined;
  #consoles: AdminServer[] = [];
  #http: HttpServer | undefined;
  #draining = false;
  #stopping: Promise<void> | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#log = options.logger("supervisor");
  }

  snapshot(): StatsSnapshot {
    return this.#registry.snapshot();
  }

  statements(): readonly StatementSummary[] {
    return this.#statements.all();
  }

  async reloadTls(config: Config): Promise<void> {
    await this.#tls?.reload(config);
  }

  async start(): Promise<void> {
    const { config, plugins, logger } = this.#options;
    const { general } = config;
    const { http_token: token, ...publicGeneral } = general;
    checkPortFree(general.host, general.port);
    const tls = await TlsWorkers.create(config, logger("tls"));
    this.#tls = tls;
    const workers = general.workers || navigator.hardwareConcurrency;
    const mirrored = config.mirroring.length > 0;
    const clientTables = Array.from(
      { length: workers },
      () => createClientTable(MAX_CLIENTS),
    );
    const laneTable = createClientTable(MAX_LANES);
    const views = clientTables.map((memory) => new ClientTable(memory));
    this.#registry.declare({
      name: "clients",
      help: "Client connections",
      type: "gauge",
      scope: "process",
      derive: () => views.reduce((sum, table) => sum + table.used, 0),
    });
    this.#host = new PluginHost({
      plugins,
      registry: this.#registry,
      statements: this.#statements,
      versions: this.#versions,
      config: config.plugins,
      general: publicGeneral,
      httpProtected: token !== undefined,
      version: VERSION,
      startedAt: this.#startedAt,
      mirrors: config.mirroring.map(({ source_db, destination_db }) => ({
        database: source_db,
        mirror: destination_db,
      })),
      configFolder: this.#options.configFolder ?? ".",
      mirroringConfig: mirroringConfig(config),
      logger: (id) => logger(`plugin.${id}`),
    });
    const stats = this.#registry.freeze({ stripes: workers + 1 });
    this.#startConsoles(views, new ClientTable(laneTable));
    const routes = await this.#routes();

    const rings = mirrored
      ? Array.from({ length: workers }, () => createRing(RING_BYTES))
      : [];
    const mirrorMailbox = createMailbox(createWake());
    const probes = this.#host.probes;
    if (mirrored) {
      const targets = await this.#targets(routes);
      const tlsPort = targets.flat().some((target) => target.tls)
        ? await tls.start("tls-mirror", true)
        : undefined;
      const init: MirrorInit = {
        stripe: workers,
        stats,
        probes,
        rings,
        mailbox: mirrorMailbox,
        routes: targets,
        tls: tlsPort,
        queueBytes: general.mirror_queue_bytes,
        lanes: laneTable,
      };
      this.#mirror = new WorkerHandle(
        "mirror",
        new URL("./mirror/worker.ts", import.meta.url),
        init,
        mirrorMailbox,
        logger("mirror"),
        (message) => this.#workerFailed("mirror", message),
        {
          statements: this.#statements,
          onFacts: (database, mirror, facts) =>
            this.#onFacts(database, mirror, facts),
        },
        tlsPort && [tlsPort],
      );
      await this.#mirror.ready;
    }
    const listen = await resolveAddress(general.host, general.port);
    const auth = authSettings(config);
    const usesTls = tls.clients || routes.some((route) => route.tls);
    for (let index = 0; index < workers; index++) {
      const tlsPort = usesTls ? await tls.start(`tls-${index}`) : undefined;
      const mailbox = createMailbox(createWake());
      const init: ProxyInit = {
        index,
        workers,
        listen,
        routes,
        limits: limitSettings(config),
        auth,
        stats,
        probes,
        clientTables,
        ring: rings[index],
        ringWake: mirrorMailbox.wake,
        mailbox,
        tls: tlsPort,
        tlsClients: tls.clients,
        tlsClientRequired: general.tls_client_required,
        connectTimeoutMs: general.connect_timeout,
        loginTimeoutMs: general.client_login_timeout,
        maxTransactionBytes: general.mirror_max_transaction_bytes,
        compareBytes: compareBytes(general),
        spillBytes: Math.floor(general.mirror_queue_bytes / workers),
      };
      const name = `proxy-${index}`;
      this.#proxies.push(
        new WorkerHandle(
          name,
          new URL("./proxy/worker.ts", import.meta.url),
          init,
          mailbox,
          logger("proxy"),
          (message) => this.#workerFailed(name, message),
          {
            onVersion: (database, version) =>
              this.#versions.set(database, version),
          },
          tlsPort && [tlsPort],
        ),
      );
    }
    await Promise.all(this.#proxies.map((worker) => worker.ready));
    this.port = general.port;
    await this.#host.start();
    this.#startHttp(this.#host);
  }

  stop(timeoutMs: number): Promise<void> {
    this.#stopping ??= this.#stop(timeoutMs);
    return this.#stopping;
  }

  async #stop(timeoutMs: number): Promise<void> {
    this.#draining = true;
    const deadline = performance.now() + timeoutMs;
    const left = () => Math.max(0, deadline - performance.now());
    for (const worker of this.#proxies) worker.command(Command.drain);
    await settled(this.#proxies.map((worker) => worker.stopped), left());
    // The last transactions are in the rings now.
    this.#mirror?.command(Command.drain);
    await settled(this.#mirror ? [this.#mirror.stopped] : [], left());
    for (const worker of this.#proxies) worker.command(Command.stop);
    await settled(this.#proxies.map((worker) => worker.stopped), GRACE_MS);
    this.#mirror?.command(Command.stop);
    await settled(this.#mirror ? [this.#mirror.stopped] : [], GRACE_MS);
    await this.#host?.close();
    await Promise.all(this.#consoles.map((console) => console.close()));
    await this.#http?.close();
    for (const worker of this.#proxies) worker.terminate();
    this.#mirror?.terminate();
    this.#tls?.close();
  }

  #startConsoles(clients: readonly ClientTable[], lanes: ClientTable): void {
    const { config, logger, onShutdownRequest } = this.#options;
    const { general, admin } = config;
    const host = this.#host as PluginHost; // created before
    const commands = adminCommands(
      createAdminSources({
        config,
        clients,
        lanes,
        plugins: () => host.status,
        pluginPaths: this.#options.pluginPaths ?? {},
        shutdown: onShutdownRequest,
      }),
      host.commands,
    );
    const options = {
      name: admin.name,
      user: admin.user,
      password: admin.password,
      commands,
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
    const dead = [...this.#proxies, ...(this.#mirror ? [this.#mirror] : [])]
      .filter((worker) => !worker.alive).map(({ name }) => name)
      .concat(this.#tls?.failed ?? []);
    if (dead.length > 0) {
      const reason = `worker ${dead.join(", ")} has failed`;
      // Without the mirror worker clients are still served.
      const live = !dead.some((name) => /^(?:proxy|tls-\d)/.test(name));
      return { live, ready: live, reason };
    }
    return this.#draining
      ? { live: true, ready: false, reason: "draining" }
      : { live: true, ready: true };
  }

  async #routes(): Promise<Route[]> {
    const { databases, mirroring, admin } = this.#options.config;
    const routes = await Promise.all(databases.map(async (database) => ({
      name: database.name,
      databaseName: database.database_name ?? database.name,
      label: `${database.host}:${database.port}`,
      address: await resolveAddress(database.host, database.port),
      tls: this.#tls?.server(database.name),
      mirrors: mirroring
        .filter(({ source_db }) => source_db === database.name)
        .map(({ destination_db }) => destination_db),
      admin: false,
    })));
    return [...routes, {
      name: admin.name,
      databaseName: admin.name,
      label: "the admin console",
      address: await resolveAddress(LOOPBACK, this.#consoles[0]?.port ?? 0),
      tls: undefined,
      mirrors: [],
      admin: true,
    }];
  }

  /** For each route its mirrors, in the route's order. */
  #targets(routes: readonly Route[]): Promise<TargetSettings[][]> {
    const { general, databases, mirroring, ignore } = this.#options.config;
    return Promise.all(
      routes.map((route) =>
        Promise.all(route.mirrors.map(async (name) => {
          const database = databases.find((d) => d.name === name);
          const mirror = mirroring.find((m) =>
            m.source_db === route.name && m.destination_db === name
          );
          if (database === undefined) {
            throw new Error(`Mirror "${name}" is not in [[databases]]`);
          }
          return {
            sourceDatabase: route.name,
            name,
            address: await resolveAddress(database.host, database.port),
            host: database.host,
            port: database.port,
            tls: this.#tls?.server(name),
            login: {
              user: database.user ?? "",
              password: database.password,
              database: database.database_name ?? name,
              cleartextAllowed: general.mirror_cleartext_password_allowed,
            },
            queueLength: mirror?.queue_length ?? general.mirror_queue,
            exposure: mirror?.exposure ?? general.mirror_exposure,
            timeoutMs: general.mirror_timeout,
            connectTimeoutMs: general.connect_timeout,
            pacing: general.mirror_pacing,
            order: general.mirror_order,
            level: mirror?.level ?? "all",
            compare: general.mirror_compare,
            compareBytes: compareBytes(general),
            examples: general.mirror_examples,
            maxLatencyRatio: general.mirror_max_latency_ratio,
            ignore: ignore.map((rule) => ({
              fingerprint: rule.fingerprint,
              sqlstate: rule.sqlstate,
              class: rule.class,
              until: rule.until === undefined
                ? Infinity
                : Date.parse(rule.until),
            })),
          };
        }))
      ),
    );
  }

  /** A mirror has said what it is: warn of what can't work. */
  #onFacts(database: string, mirror: string, facts: MirrorFacts): void {
    this.#versions.set(mirror, facts.version);
    const pair = this.#options.config.mirroring.find((m) =>
      m.source_db === database && m.destination_db === mirror
    );
    const level = pair?.level ?? "all";
    const warning = replicaWarning(facts, level);
    if (warning !== undefined) this.#log.warn(warning, { mirror, level });
  }

  #workerFailed(name: string, message: string): void {
    this.#log.error("A worker has failed", { worker: name, error: message });
  }
}

/** Where and how is mirrored, for the history; no secrets. */
function mirroringConfig({ databases, mirroring, ignore }: Config): string {
  const names = mirroring.flatMap((m) => [m.source_db, m.destination_db]);
  return JSON.stringify([
    databases.filter(({ name }) => names.includes(name))
      .map(({ password: _password, ...database }) => database),
    mirroring,
    ignore,
  ]);
}

function compareBytes(general: Config["general"]): number {
  return general.mirror_compare === "rows" ? general.mirror_compare_bytes : 0;
}

/** What workers get to say their last words, in milliseconds. */
const GRACE_MS = 2_000;

/** Waits for all, or `ms`. */
async function settled(
  promises: readonly Promise<unknown>[],
  ms: number,
): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([Promise.all(promises), timeout]);
  clearTimeout(timer);
}
