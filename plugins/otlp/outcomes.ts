import type { Logger } from "../../src/plugin/api.ts";

const SAY_EVERY_MS = 60_000;

/** Counts exports and says what goes wrong, once a minute however often it does. */
export class ExportOutcomes {
  exports = 0;
  errors = 0;
  readonly #log: Logger;
  readonly #now: () => number;
  /** Errors since the last line. */
  #unsaid = 0;
  #saidAt = -Infinity;
  #isFailing = false;

  /** @param now milliseconds; only differences matter. */
  constructor(log: Logger, now: () => number) {
    this.#log = log;
    this.#now = now;
  }

  succeeded(): void {
    this.exports++;
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#unsaid = 0;
    this.#log.info("Exporting again", { errorsSinceStart: this.errors });
  }

  failed(reason: string): void {
    this.errors++;
    this.#unsaid++;
    this.#isFailing = true;
    if (this.#now() - this.#saidAt < SAY_EVERY_MS) return;
    this.#saidAt = this.#now();
    this.#log.warn("Export failed", { reason, errors: this.#unsaid });
    this.#unsaid = 0;
  }
}
