import { Command, createMailbox, type MirrorFacts } from "../mailbox/mod.ts";
import { createWake, type SocketAddress } from "../io/mod.ts";
import type { MirrorInit } from "../replay/worker.ts";
import type { Logger } from "../plugin/mod.ts";
import type { ProxyInit } from "../proxy/worker.ts";
import { abandonRing, BOUNDS, createRing } from "../record/mod.ts";
import type { WorkerSettings } from "./routing.ts";
import type { ConnectionTableMemory } from "../stats/connection_table.ts";
import type {
  ChanceColumnStore,
  ExclusionStore,
  StatementStore,
  StatsLayout,
} from "../stats/mod.ts";
import { settled } from "./settled.ts";
import { WorkerHandle } from "./worker_handle.ts";

/** What workers get to say their last words, in milliseconds. */
const GRACE_MS = 2_000;

/** What workers are started with, and whom they tell. */
export interface WorkersOptions {
  readonly listen: SocketAddress;
  /** A listening unix socket, or -1. */
  readonly unixListener: number;
  readonly stats: StatsLayout;
  readonly probes: readonly string[];
  /** One for each proxy worker. */
  readonly clientTables: readonly ConnectionTableMemory[];
  readonly lanes: ConnectionTableMemory;
  readonly statements: StatementStore;
  readonly chanceColumns: ChanceColumnStore;
  readonly exclusions: ExclusionStore;
  readonly logger: (category: string) => Logger;
  readonly onVersion: (database: string, version: string) => void;
  readonly onFacts: (
    database: string,
    mirror: string,
    facts: MirrorFacts,
  ) => void;
  /** Another window has begun in the mirror worker: what its stripe had counted until then. */
  readonly onWindow: (
    window: number,
    worker: { readonly stripe: number; readonly cells: Float64Array },
  ) => void;
  /** A server can't be connected to. */
  readonly onUnreachable: () => void;
  readonly onFailed: (worker: string, message: string) => void;
}

/** The proxy workers, and the mirror worker once there is a mirror. */
export class Workers {
  readonly #options: WorkersOptions;
  readonly #mirrorMailbox = createMailbox(createWake());
  readonly #rings;
  readonly #proxies: WorkerHandle[] = [];
  #mirror: WorkerHandle | undefined;

  constructor(options: WorkersOptions) {
    this.#options = options;
    // Memory that nobody touches is only address space.
    this.#rings = options.clientTables.map(() => createRing(BOUNDS.ringBytes));
  }

  /** Names of those that have failed. */
  get dead(): string[] {
    return this.#all.filter((worker) => !worker.alive).map(({ name }) => name);
  }

  /** Resolves when every worker accepts connections. */
  async start(settings: WorkerSettings): Promise<void> {
    await this.#startMirror(settings);
    for (const index of this.#rings.keys()) this.#startProxy(index, settings);
    await Promise.all(this.#proxies.map((worker) => worker.ready));
  }

  /**
   * Puts new settings in force, one call after the other. The mirror worker
   * comes first: it must know a mirror before anything is counted for it.
   */
  async apply(settings: WorkerSettings): Promise<void> {
    if (this.#mirror === undefined) await this.#startMirror(settings);
    else await this.#mirror.apply(settings.mirror);
    await Promise.all(
      this.#proxies.map((worker) => worker.apply(settings.proxy)),
    );
  }

  /** Drains until `timeoutMs`, then counts what is left. */
  async stop(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    const left = () => Math.max(0, deadline - performance.now());
    const mirrors = this.#mirror ? [this.#mirror] : [];
    await drain(this.#proxies, left());
    // The last transactions are in the rings now.
    await drain(mirrors, left());
    await stop(this.#proxies);
    await stop(mirrors);
  }

  terminate(): void {
    for (const worker of this.#all) worker.terminate();
  }

  get #all(): WorkerHandle[] {
    return [...this.#proxies, ...(this.#mirror ? [this.#mirror] : [])];
  }

  async #startMirror({ mirror }: WorkerSettings): Promise<void> {
    if (mirror.targets.length === 0) return;
    const {
      stats,
      probes,
      lanes,
      clientTables,
      statements,
      chanceColumns,
      exclusions,
    } = this.#options;
    const init: MirrorInit = {
      stripe: this.#rings.length,
      stats,
      probes,
      rings: this.#rings,
      mailbox: this.#mirrorMailbox,
      settings: mirror,
      lanes,
      clientTables,
    };
    this.#mirror = new WorkerHandle(
      "mirror",
      new URL("../replay/worker.ts", import.meta.url),
      init,
      this.#mirrorMailbox,
      this.#options.logger("mirror"),
      (message) => {
        this.#rings.forEach(abandonRing);
        this.#options.onFailed("mirror", message);
      },
      {
        statements,
        chanceColumns,
        exclusions,
        onFacts: this.#options.onFacts,
        onUnreachable: this.#options.onUnreachable,
        onWindow: (window, cells) =>
          this.#options.onWindow(window, { stripe: init.stripe, cells }),
      },
    );
    await this.#mirror.ready;
  }

  #startProxy(index: number, { proxy: settings }: WorkerSettings): void {
    const { listen, unixListener, stats, probes, clientTables } = this.#options;
    const mailbox = createMailbox(createWake());
    const init: ProxyInit = {
      index,
      workers: this.#rings.length,
      listen,
      unixListener,
      settings,
      stats,
      probes,
      clientTables,
      ring: this.#rings[index] as ProxyInit["ring"], // one for each
      ringWake: this.#mirrorMailbox.wake,
      mailbox,
    };
    const name = `proxy-${index}`;
    const { onVersion, onUnreachable } = this.#options;
    this.#proxies.push(
      new WorkerHandle(
        name,
        new URL("../proxy/worker.ts", import.meta.url),
        init,
        mailbox,
        this.#options.logger("proxy"),
        (message) => this.#options.onFailed(name, message),
        { onVersion, onUnreachable },
      ),
    );
  }
}

/** Waits until all have nothing left to do, or `ms`. */
async function drain(
  workers: readonly WorkerHandle[],
  ms: number,
): Promise<void> {
  for (const worker of workers) worker.command(Command.drain);
  await settled(workers.map((worker) => worker.drained), ms);
}

/** Waits until all have said what they had to say, or for a grace. */
async function stop(workers: readonly WorkerHandle[]): Promise<void> {
  for (const worker of workers) worker.command(Command.stop);
  await settled(workers.map((worker) => worker.stopped), GRACE_MS);
}
