import { createHash } from "node:crypto";
import { excludeRulesOf } from "./exclude_rules.ts";
import { ignoreRulesOf } from "./ignore_rules.ts";
import { limitSettings } from "./limit_settings.ts";
import type { Config, Database, TlsMaterial } from "../config/mod.ts";
import { shareDescriptors } from "./descriptors.ts";
import { socketAddress } from "../io/mod.ts";
import type { ServerWay, TargetSettings } from "../replay/target.ts";
import type { MirrorSettings } from "../replay/worker.ts";
import type { Addresses } from "./names.ts";
import type { AuthSettings } from "../proxy/own_login.ts";
import type { ProxySettings, Route, RouteTls } from "../proxy/route.ts";
import { WAITING_BYTES } from "../record/mod.ts";

const LOOPBACK = "127.0.0.1";

/** What the workers run by. */
export interface WorkerSettings {
  readonly proxy: ProxySettings;
  readonly mirror: MirrorSettings;
}

/** What settings are made of besides the configuration. */
export interface RoutingOptions {
  /** Where the console listens for the main port's clients. */
  readonly adminPort: number;
  /** Proxy workers. */
  readonly workers: number;
  /** What the process may have open at most. */
  readonly descriptors: number;
  /** How a database's server is asked for TLS; undefined: in clear. */
  readonly tls: (name: string) => RouteTls | undefined;
  /** The certificates in force. */
  readonly material: () => TlsMaterial;
  /** How clients log in; undefined: to the primary. */
  readonly auth: (config: Config) => AuthSettings | undefined;
}

/**
 * Makes the workers' settings from the configuration. It gives out numbers that
 * hold for the life of the process: a route's position is in the client tables,
 * a mirror's number in the rings, and both outlive a reload.
 */
export class Routing {
  /** By what makes a route another one: its names and its address. */
  readonly #routes = new Map<string, number>();
  /** The settings of routes that are gone, for those who are still on them. */
  #known: Route[] = [];
  readonly #targets = new Map<string, number>();
  readonly #adminPort: number;
  readonly #workers: number;
  readonly #descriptors: number;
  readonly #tls: RoutingOptions["tls"];
  readonly #material: RoutingOptions["material"];
  readonly #auth: (config: Config) => AuthSettings | undefined;

  constructor(options: RoutingOptions) {
    this.#adminPort = options.adminPort;
    this.#workers = options.workers;
    this.#descriptors = options.descriptors;
    this.#tls = options.tls;
    this.#material = options.material;
    this.#auth = options.auth;
  }

  /** All routes that there ever were, by position. */
  get routes(): readonly Route[] {
    return this.#known;
  }

  /** @param paused names of mirrors. @param window its number. */
  settings(
    config: Config,
    addresses: Addresses,
    paused: ReadonlySet<string>,
    window = 0,
  ): WorkerSettings {
    const { general } = config;
    const targets = config.mirroring.map((entry) =>
      this.#target(config, entry, addresses, paused)
    );
    this.#known = this.#route(config, addresses, targets);
    const shares = shareDescriptors(
      this.#descriptors,
      this.#workers,
      mostMirrors(this.#known),
    );
    const tls = this.#material();
    return {
      proxy: {
        routes: this.#known,
        limits: limitSettings(config),
        maxDescriptors: shares.clients,
        auth: this.#auth(config),
        tls,
        tlsClientRequired: general.tls_client_required,
        connectTimeoutMs: general.connect_timeout,
        loginTimeoutMs: general.client_login_timeout,
        // More than the queue's bound would never be taken.
        maxTransactionBytes: Math.min(
          general.mirror_max_transaction_bytes,
          general.mirror_queue_bytes - WAITING_BYTES,
        ),
        compare: general.mirror_compare,
        compareBytes: general.mirror_compare === "rows"
          ? general.mirror_compare_bytes
          : 0,
        spillBytes: Math.floor(general.mirror_queue_bytes / this.#workers),
      },
      mirror: {
        targets,
        tls,
        queueBytes: general.mirror_queue_bytes,
        maxDescriptors: shares.lanes,
        window,
      },
    };
  }

  #route(
    { databases, admin }: Config,
    addresses: Addresses,
    targets: readonly TargetSettings[],
  ): Route[] {
    const routes = this.#known.map((route) => ({
      ...route,
      current: false,
      mirrors: [],
    }));
    const put = (route: Omit<Route, "current">) => {
      const { name, databaseName, host, port, address, tls } = route;
      const key = JSON.stringify([
        name,
        databaseName,
        host,
        port,
        [...address.bytes],
        tls,
      ]);
      const at = this.#routes.get(key) ?? this.#routes.size;
      this.#routes.set(key, at);
      return routes[at] = { ...route, mirrors: [], current: true };
    };
    // First, so that no database can stand before it.
    put({
      name: admin.name,
      databaseName: admin.name,
      label: "the admin console",
      host: LOOPBACK,
      port: this.#adminPort,
      address: socketAddress(LOOPBACK, this.#adminPort),
      tls: undefined,
      mirrors: [],
      admin: true,
    });
    for (const database of databases) {
      const { name, host, port } = database;
      const route = put({
        name,
        databaseName: database.database_name ?? name,
        label: host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`,
        host,
        port,
        address: addressOf(addresses, host, port),
        tls: this.#tls(name),
        mirrors: [],
        admin: false,
      });
      Object.assign(route, {
        mirrors: targets.filter(({ sourceDatabase }) => sourceDatabase === name)
          .map((target) => ({ name: target.name, id: target.id })),
      });
    }
    return routes;
  }

  #target(
    config: Config,
    entry: Config["mirroring"][number],
    addresses: Addresses,
    paused: ReadonlySet<string>,
  ): TargetSettings {
    const { general, databases } = config;
    const { source_db: sourceDatabase, destination_db: name } = entry;
    const database = databases.find((d) => d.name === name);
    if (database === undefined) {
      throw new Error(`Mirror "${name}" is not in [[databases]]`);
    }
    const { host, port, user = "" } = database;
    const databaseName = database.database_name ?? name;
    // The same login on the same server: what is queued for it may still go there.
    const key = JSON.stringify([
      sourceDatabase,
      name,
      host,
      port,
      databaseName,
      user,
    ]);
    const id = this.#targets.get(key) ?? this.#targets.size + 1;
    this.#targets.set(key, id);
    const source = databases.find((d) => d.name === sourceDatabase);
    return {
      id,
      sourceDatabase,
      name,
      host,
      port,
      ...this.#way(
        database,
        addresses,
        general.mirror_cleartext_password_allowed,
      ),
      source: source?.user === undefined
        ? undefined
        : this.#way(source, addresses, false),
      queueLength: entry.queue_length ?? general.mirror_queue,
      exposure: entry.exposure ?? general.mirror_exposure,
      timeoutMs: general.mirror_timeout,
      connectTimeoutMs: general.connect_timeout,
      maxConnections: general.mirror_max_connections,
      idleTimeoutMs: general.mirror_idle_timeout || Infinity,
      pacing: general.mirror_pacing,
      order: general.mirror_order,
      values: general.mirror_values,
      level: entry.level,
      examples: general.mirror_examples,
      ignore: ignoreRulesOf(config),
      exclude: excludeRulesOf(config),
      allowUnsafe: entry.allow_unsafe,
      paused: paused.has(name),
    };
  }

  #way(
    { name, host, port, user = "", password, ...rest }: Database,
    addresses: Addresses,
    cleartextAllowed: boolean,
  ): ServerWay {
    return {
      address: addressOf(addresses, host, port),
      tls: this.#targetTls(name),
      login: {
        user,
        password,
        database: rest.database_name ?? name,
        cleartextAllowed,
      },
    };
  }

  #targetTls(name: string): ServerWay["tls"] {
    const tls = this.#tls(name);
    if (tls === undefined) return undefined;
    const { servers } = this.#material();
    const server = JSON.stringify(
      Object.hasOwn(servers, name) ? servers[name] : null,
    );
    const version = createHash("sha256").update(server).digest("hex");
    return { ...tls, version };
  }
}

function addressOf(addresses: Addresses, host: string, port: number) {
  const address = addresses.get(host);
  if (address === undefined) throw new Error(`Host "${host}" has no address`);
  return socketAddress(address, port);
}

/** Of one database. */
export function mostMirrors(routes: readonly Route[]): number {
  return Math.max(...routes.map(({ mirrors }) => mirrors.length));
}
