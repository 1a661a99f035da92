import { type Config, readTlsFiles, type TlsMaterial } from "./config/mod.ts";
import type { Logger } from "./plugin/mod.ts";
import type { TlsInit, TlsWorkerMessage } from "./tls/mod.ts";

/** How often the files of certificates and keys are looked at. */
const LOOK_MS = 5_000;
const MODULE = new URL("./tls/worker.ts", import.meta.url);
/** As the mirror worker's: clients come first. */
const MIRROR_NICE = 10;

/** The main thread's end of the TLS workers: their start, their certificates. */
export class TlsWorkers {
  /** Names of those that have failed. */
  readonly failed: string[] = [];
  readonly #log: Logger;
  readonly #workers: Worker[] = [];
  #config: Config;
  #material: TlsMaterial;
  #known: string;
  #complaint = "";
  #timer: ReturnType<typeof setInterval> | undefined;

  private constructor(config: Config, material: TlsMaterial, log: Logger) {
    this.#config = config;
    this.#material = material;
    this.#known = JSON.stringify(material);
    this.#log = log;
  }

  /**
   * Reads the files, and begins to look whether they change.
   *
   * @throws {Error} naming each file that can't be used.
   */
  static async create(config: Config, log: Logger): Promise<TlsWorkers> {
    const { material, problems } = await readTlsFiles(config);
    if (problems.length > 0) throw new Error(text(problems));
    const workers = new TlsWorkers(config, material, log);
    workers.#timer = setInterval(() => void workers.#look(), LOOK_MS);
    return workers;
  }

  /** Clients may use TLS. */
  get clients(): boolean {
    return this.#material.clients !== undefined;
  }

  /** Whether a server is asked for TLS, and if so, whether it may say no. */
  server(name: string): { server: string; clearAllowed: boolean } | undefined {
    const server = this.#material.servers[name];
    return server &&
      { server: name, clearAllowed: server.verify === "prefer" };
  }

  /** Starts the TLS worker of a proxy worker, or of the mirror worker. @returns the port for that one's init. */
  start(name: string, mirror = false): Promise<MessagePort> {
    const worker = new Worker(MODULE, { type: "module", name });
    const channel = new MessageChannel();
    const ready = Promise.withResolvers<MessagePort>();
    worker.onerror = (event) => {
      event.preventDefault();
      ready.reject(new Error(event.message));
      this.failed.push(name);
      this.#log.error("A worker has failed", {
        worker: name,
        error: event.message,
      });
    };
    worker.onmessage = ({ data }: MessageEvent<TlsWorkerMessage>) => {
      if (data.type === "ready") return ready.resolve(channel.port2);
      this.#log[data.level](data.message, { worker: name, ...data.properties });
    };
    this.#workers.push(worker);
    const init: TlsInit = {
      type: "start",
      port: channel.port1,
      material: this.#material,
      nice: mirror ? MIRROR_NICE : 0,
    };
    worker.postMessage(init, [channel.port1]);
    return ready.promise;
  }

  /**
   * Takes the certificates of `config` for connections to come; those that are
   * there stay. Which servers are asked for TLS, and whether clients may use it,
   * is decided at start.
   *
   * @throws {Error} naming each file that can't be used; all stays as it was.
   */
  async reload(config: Config): Promise<void> {
    const { material, problems } = await readTlsFiles(config);
    if (problems.length > 0) throw new Error(text(problems));
    this.#config = config;
    const known = JSON.stringify(material);
    if (known === this.#known) return;
    this.#known = known;
    this.#material = material;
    const message: TlsInit = { type: "material", material };
    for (const worker of this.#workers) worker.postMessage(message);
    this.#log.info("Certificates were read again", {});
  }

  close(): void {
    clearInterval(this.#timer);
    for (const worker of this.#workers) worker.terminate();
  }

  /** A file that is being replaced may not fit the other yet: the old ones stay, and are tried again. */
  async #look(): Promise<void> {
    try {
      await this.reload(this.#config);
      this.#complaint = "";
    } catch (error) {
      const reason = (error as Error).message;
      if (reason === this.#complaint) return;
      this.#complaint = reason;
      this.#log.warn("Certificates can't be read again: the old ones stay", {
        reason,
      });
    }
  }
}

function text(
  problems: readonly { place: readonly (string | number)[]; message: string }[],
): string {
  return problems.map(({ place, message }) => `${place.join(".")}: ${message}`)
    .join("\n");
}
