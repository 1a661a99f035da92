import {
  type Mailbox,
  type MirrorFacts,
  post,
  postSettings,
  type WorkerMessage,
} from "../mailbox/mod.ts";
import type { Logger } from "../plugin/mod.ts";
import { settled } from "./settled.ts";
import type {
  ChanceColumnStore,
  ExclusionStore,
  StatementStore,
} from "../stats/mod.ts";

/** What a worker may take to put settings in force, in milliseconds: one turn of its loop. */
const SETTINGS_TIMEOUT_MS = 10_000;

/** Who takes what a worker says besides its log. */
export interface Heard {
  readonly statements?: StatementStore;
  readonly chanceColumns?: ChanceColumnStore;
  readonly exclusions?: ExclusionStore;
  readonly onVersion?: (database: string, version: string) => void;
  readonly onFacts?: (
    database: string,
    mirror: string,
    facts: MirrorFacts,
  ) => void;
  /** Another window has begun in the mirror worker. */
  readonly onWindow?: (window: number, cells: Float64Array) => void;
  /** A server could not be connected to. */
  readonly onUnreachable?: () => void;
}

/** The main thread's end of a worker: start, command, and hear of its end. */
export class WorkerHandle {
  readonly name: string;
  /** True until the worker has failed. */
  alive = true;
  readonly #worker: Worker;
  readonly #mailbox: Mailbox;
  readonly #ready = Promise.withResolvers<void>();
  readonly #drained = Promise.withResolvers<void>();
  readonly #stopped = Promise.withResolvers<void>();
  readonly #log: Logger;
  #applied = Promise.withResolvers<void>();
  #sequence = 0;

  /**
   * @param module the worker's module.
   * @param init sent to it once.
   * @param onFailed the worker's thread has ended by an exception.
   */
  constructor(
    name: string,
    module: URL,
    init: unknown,
    mailbox: Mailbox,
    log: Logger,
    onFailed: (message: string) => void,
    heard: Heard = {},
  ) {
    this.name = name;
    this.#mailbox = mailbox;
    this.#log = log;
    this.#worker = new Worker(module, { type: "module", name });
    const failed = (message: string) => {
      this.alive = false;
      this.#ready.reject(new Error(message));
      this.#drained.resolve();
      this.#stopped.resolve();
      this.#applied.resolve();
      onFailed(message);
    };
    // A rejection that nobody waits for any more must not end the process.
    this.#ready.promise.catch(() => {});
    this.#worker.onerror = (event) => {
      event.preventDefault();
      failed(event.message);
    };
    this.#worker.onmessage = ({ data }: MessageEvent<WorkerMessage>) => {
      switch (data.type) {
        case "ready":
          return this.#ready.resolve();
        case "drained":
          return this.#drained.resolve();
        case "stopped":
          return this.#stopped.resolve();
        case "failed":
          return failed(data.message);
        case "settings":
          if (data.sequence === this.#sequence) this.#applied.resolve();
          return;
        case "unreachable":
          return heard.onUnreachable?.();
        case "version":
          return heard.onVersion?.(data.database, data.version);
        case "facts":
          return heard.onFacts?.(data.database, data.mirror, data.facts);
        case "window":
          return heard.onWindow?.(data.window, data.cells);
        case "statements":
          return heard.statements?.update(data.changes);
        case "chance columns":
          return heard.chanceColumns?.update(data.columns);
        case "exclusions":
          return heard.exclusions?.update(data.exclusions);
        case "log":
          log[data.level](data.message, { worker: name, ...data.properties });
      }
    };
    this.#worker.postMessage(init);
  }

  /** Resolves when its loop runs. @throws {Error} if it could not begin. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Resolves when it has nothing left to do, told to drain. */
  get drained(): Promise<void> {
    return this.#drained.promise;
  }

  /** Resolves when it has ended, told to stop: all that it said has been heard. */
  get stopped(): Promise<void> {
    return this.#stopped.promise;
  }

  /** Gives it new settings. Resolves when they are in force; one call after the other. */
  async apply(settings: unknown): Promise<void> {
    if (!this.alive) return;
    this.#applied = Promise.withResolvers();
    this.#sequence = postSettings(this.#mailbox, settings);
    if (await settled([this.#applied.promise], SETTINGS_TIMEOUT_MS)) return;
    this.#log.error("A worker has not taken its new settings yet", {
      worker: this.name,
    });
  }

  command(command: number): void {
    post(this.#mailbox, command);
  }

  terminate(): void {
    this.#worker.terminate();
  }
}
