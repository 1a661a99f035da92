import type { EndedWindow, MetricSpec, StatsSnapshot } from "../stats/mod.ts";
import type {
  AdminCommand,
  HttpRoute,
  Logger,
  Plugin,
  PluginContext,
  PluginInstance,
} from "./api.ts";

/** Where a plugin stands in its life (see `api.ts`). */
export type PluginState = "created" | "started" | "failed" | "closed";

/** A plugin that can't be created. Its message names the plugin and the reason. */
export class PluginError extends Error {
  override name = "PluginError";
  /** Whose table is the trouble, if it is a table. */
  readonly plugin: string | undefined;

  constructor(
    message: string,
    options: ErrorOptions & { readonly plugin?: string } = {},
  ) {
    super(message, options);
    this.plugin = options.plugin;
  }
}

/**
 * One plugin behind a fence: what it throws after its creation is counted and
 * logged, and a `start` or `close` that hangs is given up after a while.
 */
export class FencedPlugin {
  readonly id: string;
  state: PluginState = "created";
  errors = 0;
  lastError: string | null = null;
  readonly #log: Logger;
  readonly #hookTimeoutMs: number;
  #instance: PluginInstance = {};

  constructor(id: string, log: Logger, hookTimeoutMs: number) {
    this.id = id;
    this.#log = log;
    this.#hookTimeoutMs = hookTimeoutMs;
  }

  /** @throws {PluginError} */
  create(
    plugin: Plugin,
    config: unknown,
    context: Omit<PluginContext, "log">,
  ): void {
    let open = true;
    const stats: PluginContext["stats"] = {
      ...context.stats,
      declare: (spec) => {
        if (!open) {
          throw new TypeError(
            `Metric "${spec.name}" is declared outside create`,
          );
        }
        context.stats.declare(this.#fencedSpec(spec));
      },
    };
    try {
      this.#instance = plugin.create(plugin.parseConfig(config), {
        ...context,
        stats,
        log: this.#log,
      });
    } catch (cause) {
      throw new PluginError(`Plugin "${this.id}": ${messageOf(cause)}`, {
        cause,
      });
    }
    open = false;
  }

  /** Whether new settings of its own can be given to it while it runs. */
  get isReconfigurable(): boolean {
    return this.#instance.reconfigure !== undefined;
  }

  /** New settings, which its `parseConfig` has taken. */
  reconfigure(config: unknown): void {
    try {
      this.#instance.reconfigure?.(config);
    } catch (error) {
      this.#failed("reconfigure", error);
    }
  }

  /** What a command throws is thrown on to the console. */
  get commands(): AdminCommand[] {
    return (this.#instance.commands ?? []).map((command) => ({
      words: command.words,
      help: command.help,
      columns: command.columns,
      rows: () => {
        try {
          return command.rows();
        } catch (error) {
          this.#failed(command.words, error);
          throw error;
        }
      },
    }));
  }

  /** What a route throws is thrown on to the HTTP server. */
  get routes(): HttpRoute[] {
    return (this.#instance.routes ?? []).map((route) => ({
      path: route.path,
      handle: async (request) => {
        try {
          return await route.handle(request);
        } catch (error) {
          this.#failed(route.path, error);
          throw error;
        }
      },
    }));
  }

  async start(signal: AbortSignal): Promise<void> {
    const started = await this.#run(
      "start",
      () => this.#instance.start?.(signal),
    );
    if (this.state === "created") this.state = started ? "started" : "failed";
  }

  sample(snapshot: StatsSnapshot): void {
    if (this.state !== "started") return;
    try {
      // To the compiler an async function is a void function; its rejection
      // would end the process.
      const result: unknown = this.#instance.onSample?.(snapshot);
      if (result instanceof Promise) {
        result.catch((error) => this.#failed("onSample", error));
      }
    } catch (error) {
      this.#failed("onSample", error);
    }
  }

  windowEnded(ended: EndedWindow): void {
    if (this.state === "closed") return;
    try {
      this.#instance.onWindow?.(ended);
    } catch (error) {
      this.#failed("onWindow", error);
    }
  }

  async close(): Promise<void> {
    this.state = "closed";
    await this.#run("close", () => this.#instance.close?.());
  }

  /** True if it went well. */
  async #run(
    hook: string,
    run: () => Promise<void> | undefined,
  ): Promise<boolean> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () =>
        late.reject(
          new Error(`Has not ended after ${this.#hookTimeoutMs} ms`),
        ),
      this.#hookTimeoutMs,
    );
    try {
      await Promise.race([run(), late.promise]);
      return true;
    } catch (error) {
      this.#failed(hook, error);
      return false;
    } finally {
      clearTimeout(timer);
    }
  }

  /** A snapshot is everybody's: one plugin's `derive` must not end it. */
  #fencedSpec(spec: MetricSpec): MetricSpec {
    const { derive } = spec;
    if (derive === undefined) return spec;
    return {
      ...spec,
      derive: (get, label, set) => {
        try {
          return derive(get, label, set);
        } catch (error) {
          this.#failed(`derive ${spec.name}`, error);
          return NaN;
        }
      },
    };
  }

  #failed(hook: string, error: unknown): void {
    this.errors++;
    const text = `${hook}: ${messageOf(error)}`;
    // What throws every second is counted every second and logged once.
    if (text === this.lastError) return;
    this.lastError = text;
    this.#log.error("A plugin has thrown", {
      plugin: this.id,
      hook,
      error: messageOf(error),
    });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
