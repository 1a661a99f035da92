/**
 * The signals of a proxy, caught from the program's first line on. What comes
 * before the proxy is there is kept: SIGHUP would end a process that does not
 * listen for it, and every client's connection with it. Before that line the
 * runtime boots: the packaged file's launcher blocks SIGHUP until the proxy runs.
 *
 * @module
 */

/** Whether the arguments ask for `run`, the default command. */
export function isRun([first = ""]: readonly string[]): boolean {
  return /^(?:run|--config.*|--users.*)?$/.test(first);
}

/** SIGTERM and SIGINT end the proxy, SIGHUP is RELOAD. */
export class Signals {
  readonly #stop = Promise.withResolvers<string>();
  readonly #again = Promise.withResolvers<void>();
  #stops = 0;
  #reload: (() => Promise<void>) | undefined;
  /** A reload is due: the last one began before the signal came. */
  #reloadDue = false;
  #reloading = false;

  constructor() {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      Deno.addSignalListener(signal, () => {
        if (++this.#stops === 1) this.#stop.resolve(signal);
        else this.#again.resolve();
      });
    }
    Deno.addSignalListener("SIGHUP", () => {
      this.#reloadDue = true;
      void this.#reloadIfDue();
    });
  }

  /** The name of the first signal that ends the proxy. */
  get stop(): Promise<string> {
    return this.#stop.promise;
  }

  /** A second one has come: without waiting. */
  get again(): Promise<void> {
    return this.#again.promise;
  }

  /** @param reload never rejects; called after each SIGHUP, those before now included, one call after the other. */
  onReload(reload: () => Promise<void>): void {
    this.#reload = reload;
    void this.#reloadIfDue();
  }

  /** Signals that come during a reload are one more, however many they are. */
  async #reloadIfDue(): Promise<void> {
    if (this.#reload === undefined || this.#reloading) return;
    this.#reloading = true;
    while (this.#reloadDue) {
      this.#reloadDue = false;
      await this.#reload();
    }
    this.#reloading = false;
  }
}
