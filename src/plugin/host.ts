import type { MetricSpec, Registry } from "../stats/mod.ts";
import type {
  AdminCommand,
  HttpRoute,
  Logger,
  Plugin,
  PluginContext,
  PluginInstance,
} from "./api.ts";

/** What the plugins of one process share. */
export interface PluginHostOptions {
  readonly plugins: readonly Plugin[];
  readonly registry: Registry;
  /** The `[plugins.<id>]` tables. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly general: PluginContext["general"];
  readonly version: string;
  readonly startedAt: number;
  readonly mirrors: PluginContext["mirrors"];
  readonly logger: (pluginId: string) => Logger;
}

/** What SHOW PLUGINS says of one. */
export interface PluginStatus {
  readonly id: string;
  readonly state: "created" | "started" | "failed" | "closed";
  readonly errors: number;
  readonly lastError: string | null;
}

/** A plugin that can't be created. Its message names the plugin and the reason. */
export class PluginError extends Error {
  override name = "PluginError";
}

const SAMPLE_MS = 1_000;

interface Entry {
  readonly plugin: Plugin;
  readonly log: Logger;
  readonly instance: PluginInstance;
  state: PluginStatus["state"];
  errors: number;
  lastError: string | null;
}

/**
 * Runs the plugins through their life (see `api.ts`) and fences them: what one
 * of them throws after its creation is logged and counted, nothing more.
 */
export class PluginHost {
  readonly #options: PluginHostOptions;
  readonly #entries: Entry[] = [];
  readonly #abort = new AbortController();
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Creates the plugins. @throws {PluginError} */
  constructor(options: PluginHostOptions) {
    this.#options = options;
    const ids = options.plugins.map(({ id }) => id);
    const unknown = Object.keys(options.config).find((id) => !ids.includes(id));
    if (unknown !== undefined) {
      throw new PluginError(
        `[plugins.${unknown}] is for no plugin that is loaded (${
          ids.join(", ")
        })`,
      );
    }
    for (const plugin of options.plugins) this.#create(plugin);
    for (const { id, needs } of options.plugins) {
      const missing = needs?.find((name) => !options.registry.has(name));
      if (missing !== undefined) {
        throw new PluginError(
          `Plugin "${id}" needs the metric "${missing}", which no loaded plugin declares`,
        );
      }
    }
  }

  /** Modules that the workers load. */
  get probes(): string[] {
    return this.#options.plugins.flatMap(({ probe }) => probe?.href ?? []);
  }

  get commands(): AdminCommand[] {
    return this.#entries.flatMap(({ instance }) => instance.commands ?? []);
  }

  get routes(): HttpRoute[] {
    return this.#entries.flatMap(({ instance }) => instance.routes ?? []);
  }

  get status(): PluginStatus[] {
    return this.#entries.map(({ plugin, state, errors, lastError }) => ({
      id: plugin.id,
      state,
      errors,
      lastError,
    }));
  }

  /** Starts the plugins, then samples once a second. */
  async start(): Promise<void> {
    for (const entry of this.#entries) {
      await this.#fenced(entry, "start", async () => {
        await entry.instance.start?.(this.#abort.signal);
        entry.state = "started";
      });
    }
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
  }

  /** Ends the plugins, in reverse order; may be called at any time, twice. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#abort.abort();
    for (const entry of [...this.#entries].reverse()) {
      if (entry.state === "closed") continue;
      await this.#fenced(entry, "close", async () => {
        await entry.instance.close?.();
      });
      entry.state = "closed";
    }
  }

  #create(plugin: Plugin): void {
    const { registry, config, general, version, startedAt, mirrors, logger } =
      this.#options;
    const log = logger(plugin.id);
    let created = false;
    const context: PluginContext = {
      stats: {
        declare(spec: MetricSpec) {
          if (created) {
            throw new TypeError(
              `Metric "${spec.name}" is declared outside create`,
            );
          }
          registry.declare(spec);
        },
        snapshot: () => registry.snapshot(),
        resetWindow: () => registry.bumpResetEpoch(),
      },
      log,
      general,
      version,
      startedAt,
      mirrors,
    };
    try {
      const instance = plugin.create(
        plugin.parseConfig(config[plugin.id]),
        context,
      );
      created = true;
      this.#entries.push({
        plugin,
        log,
        instance,
        state: "created",
        errors: 0,
        lastError: null,
      });
    } catch (cause) {
      throw new PluginError(
        `Plugin "${plugin.id}": ${(cause as Error).message}`,
        { cause },
      );
    }
  }

  #sample(): void {
    const snapshot = this.#options.registry.snapshot();
    for (const entry of this.#entries) {
      if (entry.state !== "started") continue;
      try {
        entry.instance.onSample?.(snapshot);
      } catch (error) {
        this.#failed(entry, "onSample", error);
      }
    }
  }

  async #fenced(
    entry: Entry,
    hook: string,
    run: () => Promise<void>,
  ): Promise<void> {
    try {
      await run();
    } catch (error) {
      entry.state = "failed";
      this.#failed(entry, hook, error);
    }
  }

  #failed(entry: Entry, hook: string, error: unknown): void {
    entry.errors++;
    entry.lastError = `${hook}: ${String(error)}`;
    entry.log.error("A plugin has thrown", {
      plugin: entry.plugin.id,
      hook,
      error: String(error),
    });
  }
}
