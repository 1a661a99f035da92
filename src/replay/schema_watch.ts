import { Catalog, CATALOG_QUESTION } from "../catalog/mod.ts";
import { askMirror, type QuestionOptions } from "./question.ts";
import type { Target } from "./target.ts";

/** The least time between two looks, for migrations come in many statements … */
const LEAST_MS = 1_000;
/** … and how much longer than a look the mirror is left alone. */
const PAUSE_RATIO = 20;
/** When a mirror that could not be asked is asked again. */
const RETRY_MS = 30_000;

/** What all looks share. */
export type SchemaWatchOptions = Pick<QuestionOptions, "reactor" | "scratch">;

/**
 * Keeps a mirror's catalog: it is asked for at the start, at a reload, and
 * behind DDL. One question at a time; until its answer the last one holds, and
 * without any nothing is known.
 */
export class SchemaWatch {
  readonly #target: Target;
  readonly #options: SchemaWatchOptions;
  /** Said once, until it changes. */
  #isKnown: boolean | undefined;
  #state: "idle" | "asking" | "stale" = "idle";

  constructor(target: Target, options: SchemaWatchOptions) {
    this.#target = target;
    this.#options = options;
  }

  /** The schema may have changed. */
  look(): void {
    if (this.#state !== "idle") {
      this.#state = "stale";
      return;
    }
    this.#state = "asking";
    const { reactor } = this.#options;
    const startUs = reactor.nowUs;
    const { settings, server } = this.#target;
    askMirror({
      ...this.#options,
      settings,
      server,
      sql: CATALOG_QUESTION,
      onAnswer: (rows) => {
        this.#set(true, new Catalog(rows), { rows: rows.length });
        const tookMs = (reactor.nowUs - startUs) / 1_000;
        this.#rest(Math.max(LEAST_MS, PAUSE_RATIO * tookMs));
      },
      onFailed: (reason) => {
        this.#set(false, new Catalog(), { reason });
        this.#state = "stale";
        this.#rest(RETRY_MS);
      },
    });
  }

  #set(
    isKnown: boolean,
    catalog: Catalog,
    properties: Record<string, unknown>,
  ): void {
    this.#target.catalog = catalog;
    if (isKnown === this.#isKnown) return;
    this.#isKnown = isKnown;
    const message = isKnown
      ? "Mirror's schema is known"
      : "Mirror's schema is not known";
    this.#target.log("info", message, properties);
  }

  #rest(ms: number): void {
    this.#options.reactor.after(ms, () => {
      const isStale = this.#state === "stale";
      this.#state = "idle";
      if (isStale && !this.#target.removed) this.look();
    });
  }
}
