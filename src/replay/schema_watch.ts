import {
  Catalog,
  CATALOG_QUESTION,
  TypePair,
  TYPES_QUESTION,
} from "../catalog/mod.ts";
import type { MirrorServer } from "./connection.ts";
import { askServer, type QuestionOptions } from "./question.ts";
import type { ServerWay, Target } from "./target.ts";

/** The least time between two looks, for migrations come in many statements … */
const LEAST_MS = 1_000;
/** … and how much longer than a look the servers are left alone. */
const PAUSE_RATIO = 20;
/** When a mirror that could not be asked is asked again. */
const RETRY_MS = 30_000;
/** A schema of 5,000 tables takes a second: many more must not take for ever. */
const ANSWER_MS = 30_000;

/** What all looks share. */
export interface SchemaWatchOptions
  extends Pick<QuestionOptions, "reactor" | "scratch"> {
  readonly serverOf: (way: ServerWay) => MirrorServer;
}

/**
 * Keeps a mirror's catalog: it is asked for at the start, at a reload, behind
 * DDL, and when the mirror answers again. The primary is asked for the names of
 * its types behind it, where the configuration has a login for it. One question
 * at a time; until its answer the last catalog holds, and without any nothing
 * is known. Types are not known until then: their OIDs may be others.
 */
export class SchemaWatch {
  readonly #target: Target;
  readonly #options: SchemaWatchOptions;
  readonly #types = new TypePair();
  /** Where the primary was when it was asked last. */
  #sourceKey = "";
  /** Said once, until it changes. */
  readonly #isKnown = new Map<string, boolean>();
  #state: "idle" | "asking" | "stale" = "idle";

  constructor(target: Target, options: SchemaWatchOptions) {
    this.#target = target;
    this.#options = options;
  }

  /** The schema may have changed. */
  look(): void {
    this.#types.mirror.forget();
    this.#types.primary.forget();
    if (this.#state !== "idle") {
      this.#state = "stale";
      return;
    }
    this.#state = "asking";
    const { reactor, scratch } = this.#options;
    const startUs = reactor.nowUs;
    const { settings, server } = this.#target;
    askServer({
      reactor,
      scratch,
      settings,
      server,
      sql: CATALOG_QUESTION,
      timeoutMs: Math.max(ANSWER_MS, settings.connectTimeoutMs),
      onAnswer: (rows) => {
        this.#target.catalog = new Catalog(rows, this.#types);
        this.#say("Mirror's schema", true, { rows: rows.length });
        const tookMs = (reactor.nowUs - startUs) / 1_000;
        this.#askPrimary(Math.max(LEAST_MS, PAUSE_RATIO * tookMs));
      },
      onFailed: (reason) => {
        this.#target.catalog = new Catalog([], this.#types);
        this.#say("Mirror's schema", false, { reason });
        this.#state = "stale";
        this.#rest(RETRY_MS);
      },
    });
  }

  /** Asks the primary for its types' names, and rests. */
  #askPrimary(restMs: number): void {
    const { source, connectTimeoutMs } = this.#target.settings;
    const { primary } = this.#types;
    const key = source === undefined ? "" : JSON.stringify([
      [...source.address.bytes],
      source.login.database,
    ]);
    if (key !== this.#sourceKey) primary.reset();
    this.#sourceKey = key;
    if (source === undefined) return this.#rest(restMs);
    const { reactor, scratch, serverOf } = this.#options;
    askServer({
      reactor,
      scratch,
      settings: { login: source.login, connectTimeoutMs },
      server: serverOf(source),
      sql: TYPES_QUESTION,
      onAnswer: (rows) => {
        // A look that was asked for meanwhile knows better.
        if (this.#state === "asking") primary.learn(rows);
        this.#say("Primary's types", true, { types: rows.length });
        this.#rest(restMs);
      },
      onFailed: (reason) => {
        // The next look asks again: this one would cost the mirror another.
        this.#say("Primary's types", false, { reason });
        this.#rest(restMs);
      },
    });
  }

  #say(
    what: "Mirror's schema" | "Primary's types",
    isKnown: boolean,
    properties: Record<string, unknown>,
  ): void {
    if (isKnown === this.#isKnown.get(what)) return;
    this.#isKnown.set(what, isKnown);
    const verb = what.endsWith("s") ? "are" : "is";
    this.#target.log(
      "info",
      `${what} ${verb} ${isKnown ? "known" : "not known"}`,
      properties,
    );
  }

  #rest(ms: number): void {
    this.#options.reactor.after(ms, () => {
      const isStale = this.#state === "stale";
      this.#state = "idle";
      if (isStale && !this.#target.removed) this.look();
    });
  }
}
