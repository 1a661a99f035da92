import type {
  ChanceColumnStore,
  EndedWindow,
  EvidenceWindow,
  ExclusionStore,
  Registry,
  StatementStore,
  StatementSummary,
  StatsSnapshot,
  TrafficHour,
  WindowStart,
} from "../stats/mod.ts";
import type {
  AdminCommand,
  HttpRoute,
  Logger,
  Plugin,
  PluginContext,
} from "./api.ts";
import {
  FencedPlugin,
  PluginError,
  type PluginState,
} from "./fenced_plugin.ts";
import { PROBE_ERRORS } from "./probe_set.ts";

/** What the plugins of one process share. */
export interface PluginHostOptions {
  readonly plugins: readonly Plugin[];
  readonly registry: Registry;
  readonly statements: StatementStore;
  /** Default: there are none. */
  readonly chanceColumns?: ChanceColumnStore;
  /** Default: there are none. */
  readonly exclusions?: ExclusionStore;
  /** Of servers, by the name of their database; filled as they are heard. */
  readonly versions?: ReadonlyMap<string, string>;
  /** The `[plugins.<id>]` tables. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly general: PluginContext["general"];
  /** Default false. */
  readonly httpProtected?: boolean;
  readonly version: string;
  readonly startedAt: number;
  /** Default: a stopwatch that begins with the host. */
  readonly uptimeMs?: () => number;
  readonly mirrors: PluginContext["mirrors"];
  /** Default: the working folder. */
  readonly configFolder?: string;
  /** Default: nothing is known of it. */
  readonly mirroringConfig?: () => string;
  /** Default: all. */
  readonly levelOf?: PluginContext["levelOf"];
  readonly window: EvidenceWindow;
  /** Default: there are none. */
  readonly ignoreRules?: PluginContext["ignoreRules"];
  /** Default: there are none. */
  readonly excludeRules?: PluginContext["excludeRules"];
  /** Default: none is. */
  readonly isPaused?: PluginContext["isPaused"];
  readonly logger: (pluginId: string) => Logger;
  /** Between two samples. Default 1000. */
  readonly sampleMs?: number;
  /** What `start` and `close` of a plugin may take. Default 5000. */
  readonly hookTimeoutMs?: number;
}

/** What SHOW PLUGINS says of one. */
export interface PluginStatus {
  readonly id: string;
  readonly state: PluginState;
  /** Its probe's in the workers included. */
  readonly errors: number;
  readonly lastError: string | null;
}

const SAMPLE_MS = 1_000;
const HOOK_TIMEOUT_MS = 5_000;
const ID = /^[a-z][a-z0-9_]*$/;

/** New tables for the plugins that nobody has objected to. */
export interface PreparedTables {
  /** Ids whose table is another one, and whether they can take it. */
  readonly changed: readonly { readonly id: string; readonly live: boolean }[];
  apply(): void;
}

/** Runs the plugins through their life (see `api.ts`), each behind its fence. */
export class PluginHost {
  readonly #options: PluginHostOptions;
  readonly #plugins: readonly FencedPlugin[];
  readonly #uptimeMs: () => number;
  #tables: PluginHostOptions["config"];
  readonly #abort = new AbortController();
  #timer: ReturnType<typeof setInterval> | undefined;
  #closing: Promise<void> | undefined;

  /** Creates the plugins. @throws {PluginError} */
  constructor(options: PluginHostOptions) {
    const { plugins, config, registry, logger } = options;
    const { hookTimeoutMs = HOOK_TIMEOUT_MS } = options;
    this.#options = options;
    this.#uptimeMs = options.uptimeMs ?? stopwatch();
    this.#tables = config;
    checkIds(plugins.map(({ id }) => id), Object.keys(config));
    this.#plugins = plugins.map(({ id }) =>
      new FencedPlugin(id, logger(id), hookTimeoutMs)
    );
    this.#declareErrors();
    const { window } = options;
    const context = {
      window: {
        start: () => window.start,
        beganMs: () => window.beganMs,
        counted: (total: StatsSnapshot) => window.counted(total),
        ownHours: (pair: string) => window.ownHours(pair),
        hours: (pair: string) => window.hours(pair),
        continue: (
          start: WindowStart,
          earlier: ReadonlyMap<string, readonly TrafficHour[]>,
        ) => window.continue(start, earlier),
      },
      stats: {
        declare: registry.declare.bind(registry),
        snapshot: () => registry.snapshot(),
        statements: () => options.statements.all(),
        chanceColumns: () => options.chanceColumns?.all() ?? [],
        exclusions: () => options.exclusions?.all() ?? [],
        ownStatements: () => options.statements.own(),
        restoreStatements: (summaries: readonly StatementSummary[]) =>
          options.statements.restore(summaries),
        resetWindow: () => registry.bumpResetEpoch(),
        resetEpoch: () => registry.resetEpoch,
      },
      general: options.general,
      httpProtected: options.httpProtected ?? false,
      version: options.version,
      startedAt: options.startedAt,
      uptimeMs: this.#uptimeMs,
      versions: () => Object.fromEntries(options.versions ?? []),
      mirrors: options.mirrors,
      configFolder: options.configFolder ?? ".",
      mirroringConfig: options.mirroringConfig ?? (() => ""),
      levelOf: options.levelOf ?? (() => "all"),
      ignoreRules: options.ignoreRules ?? [],
      excludeRules: options.excludeRules ?? [],
      isPaused: options.isPaused ?? (() => false),
    };
    for (const [i, plugin] of plugins.entries()) {
      this.#plugins[i]?.create(plugin, config[plugin.id], context);
    }
    for (const { id, needs } of plugins) {
      const missing = needs?.find((name) => !registry.has(name));
      if (missing !== undefined) {
        throw new PluginError(
          `Plugin "${id}" needs the metric "${missing}", which no loaded plugin declares`,
        );
      }
    }
  }

  /**
   * Checks new tables without putting them in force.
   *
   * @throws {PluginError} naming the plugin.
   */
  prepare(tables: PluginHostOptions["config"]): PreparedTables {
    const { plugins } = this.#options;
    checkIds(plugins.map(({ id }) => id), Object.keys(tables));
    const changed = plugins.flatMap((plugin, i) => {
      const { id } = plugin;
      const fenced = this.#plugins[i] as FencedPlugin; // one for each
      let config: unknown;
      try {
        config = plugin.parseConfig(tables[id]);
      } catch (cause) {
        throw new PluginError(
          `Plugin "${id}": ${(cause as Error).message ?? cause}`,
          { cause, plugin: id },
        );
      }
      return JSON.stringify(tables[id]) === JSON.stringify(this.#tables[id])
        ? []
        : [{ id, fenced, config, live: fenced.isReconfigurable }];
    });
    return {
      changed,
      apply: () => {
        const taken = changed.filter(({ live }) => live);
        for (const { fenced, config } of taken) fenced.reconfigure(config);
        this.#tables = {
          ...this.#tables,
          ...Object.fromEntries(taken.map(({ id }) => [id, tables[id]])),
        };
      },
    };
  }

  /** Modules that the workers load. */
  get probes(): string[] {
    if (this.#options.general.mirror_metrics_enabled === false) return [];
    return this.#options.plugins.flatMap(({ probe }) => probe?.href ?? []);
  }

  get commands(): AdminCommand[] {
    return this.#plugins.flatMap(({ commands }) => commands);
  }

  get routes(): HttpRoute[] {
    return this.#plugins.flatMap(({ routes }) => routes);
  }

  get status(): PluginStatus[] {
    const ofProbes = this.#options.registry.snapshot().get(PROBE_ERRORS);
    return this.#plugins.map(({ id, state, errors, lastError }) => {
      const ofProbe = ofProbes?.series
        .find(({ labels }) => labels.plugin === id)?.value ?? 0;
      return {
        id,
        state,
        errors: errors + ofProbe,
        lastError: lastError ??
          (ofProbe > 0 ? "probe: it is off in a worker, see the log" : null),
      };
    });
  }

  /** Starts the plugins one after the other, then samples once a second. */
  async start(): Promise<void> {
    const { signal } = this.#abort;
    for (const plugin of this.#plugins) {
      if (signal.aborted) return;
      await plugin.start(signal);
    }
    if (signal.aborted) return;
    this.#timer = setInterval(() => {
      const snapshot = this.#options.registry.snapshot();
      this.#options.window.sample(snapshot, this.#uptimeMs());
      for (const plugin of this.#plugins) plugin.sample(snapshot);
    }, this.#options.sampleMs ?? SAMPLE_MS);
  }

  /** Another window of the evidence has begun. */
  windowEnded(ended: EndedWindow): void {
    for (const plugin of this.#plugins) plugin.windowEnded(ended);
  }

  /** Ends the plugins, in reverse order; may be called at any time, twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer);
    this.#abort.abort();
    for (const plugin of this.#plugins.toReversed()) await plugin.close();
  }

  /** What was thrown here, and what probes threw in the workers. */
  #declareErrors(): void {
    const { plugins, registry } = this.#options;
    if (plugins.length === 0) return;
    const probes = plugins.filter(({ probe }) => probe !== undefined);
    registry.declare({
      name: "plugin_errors_total",
      help: "Exceptions of a plugin",
      type: "counter",
      scope: "process",
      label: { name: "plugin", values: plugins.map(({ id }) => id) },
      derive: (get, id) =>
        (this.#plugins.find((plugin) => plugin.id === id)?.errors ?? 0) +
        (probes.length > 0 ? get(PROBE_ERRORS, id) : 0),
    });
    if (probes.length === 0) return;
    registry.declare({
      name: PROBE_ERRORS,
      help: "Exceptions of the plugins' probes",
      type: "counter",
      scope: "process",
      label: { name: "plugin", values: probes.map(({ id }) => id) },
      internal: true,
    });
  }
}

/** @throws {PluginError} */
function checkIds(ids: readonly string[], tables: readonly string[]): void {
  for (const [i, id] of ids.entries()) {
    if (!ID.test(id)) throw new PluginError(`Plugin id "${id}" is ill-formed`);
    if (ids.indexOf(id) !== i) {
      throw new PluginError(`Two plugins have the id "${id}"`);
    }
  }
  const unknown = tables.find((id) => !ids.includes(id));
  if (unknown !== undefined) {
    throw new PluginError(
      `[plugins.${unknown}] is for no plugin that is loaded (${
        ids.join(", ")
      })`,
      { plugin: unknown },
    );
  }
}

function stopwatch(): () => number {
  const began = performance.now();
  return () => performance.now() - began;
}
