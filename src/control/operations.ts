import { checkLogin } from "../admin/mod.ts";
import {
  type Change,
  changesBetween,
  type Config,
  ConfigError,
  formatProblem,
  type Loaded,
  type Problem,
  withFixedKeys,
} from "../config/mod.ts";
import {
  type Addresses,
  type Lookup,
  type Resolution,
  resolveNames,
  systemLookup,
} from "./names.ts";
import {
  type Logger,
  PluginError,
  type PluginHost,
  type PreparedTables,
} from "../plugin/mod.ts";
import { excludeRulesOf } from "./exclude_rules.ts";
import { ignoreRulesOf } from "./ignore_rules.ts";
import type { ExcludeRule, IgnoreRule } from "../stats/mod.ts";

/** Between two look-ups because a server could not be reached, in milliseconds. */
const LOOKUP_PAUSE_MS = 1_000;

/** A configured pair of databases. */
export type MirrorPair = Readonly<Record<"database" | "mirror", string>>;

/** What operations work on. */
export interface OperationsOptions {
  readonly config: Config;
  /** Reads the configuration anew. @throws {ConfigError} */
  readonly readConfig: (() => Promise<Loaded>) | undefined;
  readonly lookup?: Lookup | undefined;
  readonly log: Logger;
  /** The last that can fail. @throws {Error} then nothing has changed. */
  readonly prepare: (config: Config) => Promise<void>;
  /** Puts what is in force now into the workers, the consoles, the log. */
  readonly apply: () => Promise<void>;
}

/** The evidence's window that is wanted. */
export interface WantedWindow {
  /** Goes up by one with each. */
  readonly number: number;
  readonly because: string;
}

/** Keys of `[general]` that decide what is evidence. */
const EVIDENCE_KEYS = [
  "mirror_compare",
  "mirror_compare_bytes",
  "mirror_exposure",
  "mirror_order",
  "mirror_values",
] as const;

/** One line of RELOAD's answer. */
export interface Effect {
  readonly key: string;
  readonly effect: string;
}

/** There is no mirror of this name. */
export class UnknownMirrorError extends Error {
  override name = "UnknownMirrorError";
}

/**
 * What is in force, and all that changes it while the proxy runs, one change
 * after the other: RELOAD, PAUSE MIRROR, RESUME MIRROR, SET mirror_exposure, and
 * names that have another address.
 */
export class Operations {
  config: Config;
  addresses: Addresses = new Map();
  /** Names of mirrors. */
  readonly paused = new Set<string>();
  /** `[general]` and the pairs for plugins: the same objects as long as the process lives, their contents change. */
  readonly general: Record<string, unknown> = {};
  readonly mirrors: MirrorPair[] = [];
  readonly ignoreRules: IgnoreRule[] = [];
  readonly excludeRules: ExcludeRule[] = [];
  window: WantedWindow = { number: 0, because: "" };
  readonly #options: OperationsOptions;
  #host: PluginHost | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lookedUpAt = -Infinity;
  /** Names that had no answer the last time. */
  #unanswered = new Set<string>();
  #closed = false;

  constructor(options: OperationsOptions) {
    this.#options = options;
    this.config = options.config;
    this.#show();
  }

  /** Resolves all names. @throws {Error} naming the host that has no address. */
  async begin(host: PluginHost): Promise<void> {
    this.#host = host;
    const resolution = await this.#resolve(this.config);
    for (const [name, reason] of resolution.failed) {
      throw new Error(`Host "${name}" has no address`, { cause: reason });
    }
    this.addresses = resolution.addresses;
    this.#schedule();
  }

  /** Ends what comes by itself. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /**
   * Reads and checks the configuration, all of it, then puts it in force.
   *
   * @returns what became of each key that differs.
   * @throws {ConfigError} with every problem; then nothing has changed.
   */
  reload(): Promise<Effect[]> {
    return this.#inTurn(async () => {
      try {
        return await this.#reload();
      } catch (error) {
        const problems = error instanceof ConfigError
          ? error.problems.map(formatProblem)
          : [(error as Error).message];
        this.#options.log.error(
          "Configuration not reloaded, the old one stays in force",
          { problems },
        );
        throw error;
      }
    });
  }

  /** @throws {UnknownMirrorError} */
  pause(mirror: string | undefined): Promise<void> {
    return this.#setPaused(mirror, true);
  }

  /** @throws {UnknownMirrorError} */
  resume(mirror: string | undefined): Promise<void> {
    return this.#setPaused(mirror, false);
  }

  /** @param share 0 to 1, for all mirrors until the next reload. */
  setExposure(share: number): Promise<void> {
    return this.#inTurn(async () => {
      const { general, mirroring } = this.config;
      this.#take({
        ...this.config,
        general: { ...general, mirror_exposure: share },
        mirroring: mirroring.map(({ exposure: _, ...entry }) => entry),
      });
      await this.#apply();
      this.#options.log.warn(
        "mirror_exposure holds for all mirrors until the next RELOAD or restart",
        { mirror_exposure: share },
      );
    });
  }

  /** Begins the window of the evidence anew. */
  resetWindow(): Promise<void> {
    return this.#inTurn(async () => {
      this.#wantWindow("of RESET MIRROR WINDOW");
      await this.#apply();
      this.#options.log.info("The verdict's window begins anew");
    });
  }

  /** Something that is not in the configuration has changed: certificates. */
  applyAgain(): Promise<void> {
    return this.#inTurn(() => this.#options.apply());
  }

  isPaused({ mirror }: { readonly mirror: string }): boolean {
    return this.paused.has(mirror);
  }

  /** Which transactions are mirrored; `all` for a pair that is not configured. */
  levelOf({ database, mirror }: MirrorPair): string {
    return this.config.mirroring.find(({ source_db, destination_db }) =>
      source_db === database && destination_db === mirror
    )?.level ?? "all";
  }

  /** Where and how is mirrored: evidence of equal ones may be added up. No secrets. Rules of `[[ignore]]` apply to what was counted before, too. */
  get mirroringConfig(): string {
    const { databases, mirroring, general } = this.config;
    const names = mirroring.flatMap((m) => [m.source_db, m.destination_db]);
    const shown = databases.filter(({ name }) => names.includes(name))
      .map(({ password: _password, ...database }) => database);
    // What is left out the ledger tells.
    const pairs = mirroring.map(({ allow_unsafe: _allowed, ...pair }) => pair);
    // The form of histories of older versions.
    return JSON.stringify([
      pairsOf(this.config),
      JSON.stringify([shown, pairs]),
      EVIDENCE_KEYS.map((key) => general[key]),
    ]);
  }

  /** A server could not be reached: perhaps it has moved. */
  unreachable(): void {
    if (performance.now() - this.#lookedUpAt < LOOKUP_PAUSE_MS) return;
    void this.#refresh();
  }

  async #reload(): Promise<Effect[]> {
    const { readConfig, log } = this.#options;
    if (readConfig === undefined) {
      throw new Error("There is no configuration file to read");
    }
    const loaded = await readConfig();
    const tables = this.#check(loaded);
    const names = await this.#resolve(loaded.config);
    this.#checkNames(loaded, names);
    const next = withFixedKeys(this.config, loaded.config);
    await this.#options.prepare(next);
    // From here on nothing can be wrong any more.
    const changes: Effect[] = changesBetween(this.config, loaded.config);
    for (const { id, live } of tables.changed) {
      const effect: Change["effect"] = live ? "changed" : "needs a restart";
      changes.push({ key: `plugins.${id}`, effect });
    }
    for (const { host, from, to } of names.moved) {
      changes.push({ key: `host ${host}`, effect: `${from} is now ${to}` });
    }
    this.#take(next);
    this.addresses = names.addresses;
    this.#forgetPaused();
    this.#show();
    tables.apply();
    await this.#options.apply();
    this.#schedule();
    for (const warning of loaded.warnings) log.warn(formatProblem(warning));
    const keys = (restart: boolean) =>
      changes.filter(({ effect }) => (effect === "needs a restart") === restart)
        .map(({ key }) => key);
    log.info("Configuration reloaded", { changed: keys(false) });
    if (keys(true).length > 0) {
      log.warn("Changes that need a restart", { keys: keys(true) });
    }
    return changes;
  }

  /** What the file alone can't tell. @throws {ConfigError} */
  #check(loaded: Loaded): PreparedTables {
    const { config, at } = loaded;
    const problems: Problem[] = [];
    for (const key of ["password", "stats_password"] as const) {
      try {
        checkLogin(config.admin[key]);
      } catch (error) {
        problems.push(at(["admin", key], (error as Error).message));
      }
    }
    try {
      const host = this.#host as PluginHost; // begun before
      const tables = host.prepare(config.plugins);
      if (problems.length === 0) return tables;
    } catch (error) {
      if (!(error instanceof PluginError)) throw error;
      const place = error.plugin === undefined ? [] : [error.plugin];
      problems.push(at(["plugins", ...place], error.message));
    }
    throw new ConfigError(problems);
  }

  /** @throws {ConfigError} for a name that never had an address. */
  #checkNames({ config, at }: Loaded, { addresses, failed }: Resolution): void {
    const problems = config.databases.flatMap(({ host }, i) =>
      addresses.has(host) ? [] : [
        at(["databases", i, "host"], `"${host}" has no address`),
      ]
    );
    if (problems.length > 0) throw new ConfigError(problems);
    this.#warnOf(failed);
  }

  #setPaused(mirror: string | undefined, paused: boolean): Promise<void> {
    return this.#inTurn(async () => {
      const names = this.config.mirroring.map((entry) => entry.destination_db);
      const chosen = mirror === undefined
        ? names
        : names.filter((name) => name === mirror);
      if (chosen.length === 0) {
        throw new UnknownMirrorError(
          mirror === undefined
            ? "there is no mirror"
            : `there is no mirror "${mirror}"; there is ${names.join(", ")}`,
        );
      }
      for (const name of chosen) {
        if (paused) this.paused.add(name);
        else this.paused.delete(name);
      }
      await this.#apply();
      this.#options.log.info(paused ? "Mirror paused" : "Mirror resumed", {
        mirrors: [...new Set(chosen)],
      });
    });
  }

  #refresh(): Promise<void> {
    this.#lookedUpAt = performance.now();
    return this.#inTurn(async () => {
      if (this.#closed) return;
      const { addresses, moved, failed } = await this.#resolve(this.config);
      this.#warnOf(failed);
      if (moved.length === 0) return;
      this.addresses = addresses;
      await this.#options.apply();
      for (const properties of moved) {
        this.#options.log.info("A host has another address", { ...properties });
      }
    }).catch((error) =>
      this.#options.log.error("Names could not be resolved", {
        error: String(error),
      })
    );
  }

  #resolve({ databases }: Config): Promise<Resolution> {
    return resolveNames(
      databases.map(({ host }) => host),
      this.addresses,
      this.#options.lookup ?? systemLookup,
    );
  }

  /** Once for each name that stays away. */
  #warnOf(failed: ReadonlyMap<string, string>): void {
    for (const [host, reason] of failed) {
      if (this.#unanswered.has(host)) continue;
      this.#options.log.warn("A host can't be resolved, its address stays", {
        host,
        reason,
      });
    }
    this.#unanswered = new Set(failed.keys());
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const { dns_ttl } = this.config.general;
    if (dns_ttl === 0 || this.#closed) return;
    this.#timer = setTimeout(
      () => this.#refresh().finally(() => this.#schedule()),
      dns_ttl,
    );
  }

  #forgetPaused(): void {
    for (const name of this.paused) {
      const there = this.config.mirroring.some((entry) =>
        entry.destination_db === name
      );
      if (!there) this.paused.delete(name);
    }
  }

  /** Puts a configuration in force; one that mirrors otherwise is another window's. */
  #take(config: Config): void {
    const before = this.mirroringConfig;
    this.config = config;
    if (this.mirroringConfig !== before) {
      this.#wantWindow("mirroring is configured otherwise");
    }
  }

  #wantWindow(because: string): void {
    this.window = { number: this.window.number + 1, because };
  }

  async #apply(): Promise<void> {
    this.#show();
    await this.#options.apply();
  }

  /** Brings what plugins see up to date. */
  #show(): void {
    const { http_token: _secret, ...general } = this.config.general;
    Object.assign(this.general, general);
    this.mirrors.splice(0, Infinity, ...pairsOf(this.config));
    this.ignoreRules.splice(0, Infinity, ...ignoreRulesOf(this.config));
    this.excludeRules.splice(0, Infinity, ...excludeRulesOf(this.config));
  }

  /** One change after the other. */
  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(change);
    this.#last = turn.catch(() => {});
    return turn;
  }
}

function pairsOf({ mirroring }: Config): MirrorPair[] {
  return mirroring.map(({ source_db, destination_db }) => ({
    database: source_db,
    mirror: destination_db,
  }));
}
