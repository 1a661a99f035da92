import { type Config, readTlsFiles, type TlsMaterial } from "../config/mod.ts";
import type { Logger } from "../plugin/mod.ts";
import { TlsContexts } from "../tls/mod.ts";

/** How often the files of certificates and keys are looked at. */
const LOOK_MS = 5_000;

/** The certificates and keys in force, read from their files again when those change. */
export class Certificates {
  readonly #log: Logger;
  readonly #changed: () => void;
  #config: Config;
  #material: TlsMaterial;
  #complaint = "";
  /** Ends when nobody reads the files. */
  #last: Promise<unknown> = Promise.resolve();
  #timer: ReturnType<typeof setInterval> | undefined;

  private constructor(
    config: Config,
    material: TlsMaterial,
    log: Logger,
    changed: () => void,
  ) {
    this.#config = config;
    this.#material = material;
    this.#log = log;
    this.#changed = changed;
  }

  /**
   * Reads the files, and begins to look whether they change.
   *
   * @param changed called when they have, and fit.
   * @throws {Error} naming each file that can't be used, or that OpenSSL is not there.
   */
  static async create(
    config: Config,
    log: Logger,
    changed: () => void,
  ): Promise<Certificates> {
    const { material, version } = await readMaterial(config);
    if (version !== "") log.info("TLS is there", { library: version });
    const certificates = new Certificates(config, material, log, changed);
    certificates.#timer = setInterval(
      () => void certificates.look(),
      LOOK_MS,
    );
    return certificates;
  }

  /** What workers need of it. */
  get material(): TlsMaterial {
    return this.#material;
  }

  /** Whether a server is asked for TLS, and if so, whether it may say no. */
  server(name: string): { server: string; clearAllowed: boolean } | undefined {
    const { servers } = this.#material;
    const server = Object.hasOwn(servers, name) ? servers[name] : undefined;
    return server &&
      { server: name, clearAllowed: server.verify === "prefer" };
  }

  /**
   * Takes the certificates of `config` for connections to come; those that are
   * there stay.
   *
   * @returns whether anything is another one now.
   * @throws {Error} naming each file that can't be used; all stays as it was.
   */
  reload(config: Config): Promise<boolean> {
    return this.#inTurn(() => this.#take(config));
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /**
   * Reads the files again, as it does by itself every few seconds. A file that
   * is being replaced may not fit the other yet: the old ones stay, and are
   * tried again.
   */
  async look(): Promise<void> {
    try {
      if (await this.#inTurn(() => this.#take(this.#config))) this.#changed();
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

  async #take(config: Config): Promise<boolean> {
    const material = await readFiles(config);
    const isNew = material.version !== this.#material.version;
    if (isNew) tryMaterial(material);
    this.#config = config;
    if (!isNew) return false;
    this.#material = material;
    this.#log.info("Certificates were read again", {});
    return true;
  }

  /** One after the other: a look that began before a reload must not undo it. */
  #inTurn<T>(read: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(read);
    this.#last = turn.catch(() => {});
    return turn;
  }
}

/**
 * Reads the files, and tries what is in them.
 *
 * @returns also OpenSSL's version, "" if nothing uses TLS.
 * @throws {Error} naming each file that can't be used, or that OpenSSL is not there.
 */
export async function readMaterial(
  config: Config,
): Promise<{ readonly material: TlsMaterial; readonly version: string }> {
  const material = await readFiles(config);
  return { material, version: tryMaterial(material) };
}

async function readFiles(config: Config): Promise<TlsMaterial> {
  const { material, problems } = await readTlsFiles(config);
  if (problems.length > 0) {
    throw new Error(
      problems.map(({ place, message }) => `${place.join(".")}: ${message}`)
        .join("\n"),
    );
  }
  return material;
}

/** @returns OpenSSL's version. */
function tryMaterial(material: TlsMaterial): string {
  const trial = new TlsContexts(material);
  trial.close();
  return trial.version;
}
