import {
  Catalog,
  CATALOG_QUESTION,
  CollationPair,
  COLLATIONS_QUESTION,
  TypePair,
  TYPES_QUESTION,
} from "../catalog/mod.ts";
import type { Timer } from "../io/mod.ts";
import type { MirrorServer } from "./connection.ts";
import { askServer, type QuestionOptions } from "./question.ts";
import type { ServerWay, Target } from "./target.ts";

/** The least time between two looks, for migrations come in many statements … */
const LEAST_MS = 1_000;
/** … and how much longer than a look the servers are left alone. */
const PAUSE_RATIO = 20;
/** When a mirror that could not be asked is asked again. */
const RETRY_MS = 30_000;
/** Collations and columns that one line names. */
const MAX_NAMED = 20;
/** A schema of 5,000 tables takes a second: many more must not take for ever. */
const ANSWER_MS = 30_000;

/** An answer. */
type Rows = readonly (readonly string[])[];

/** What all looks share. */
export interface SchemaWatchOptions
  extends Pick<QuestionOptions, "reactor" | "scratch"> {
  readonly serverOf: (way: ServerWay) => MirrorServer;
}

/**
 * Keeps a mirror's catalog: it is asked for at the start, at a reload, behind
 * DDL, and when the mirror answers again. The primary is asked for the names of
 * its types behind it, where the configuration has a login for it, and then
 * both are asked how they sort. One question at a time; until its answer the
 * last catalog holds, and what was last told of collations; without any nothing
 * is known. Types are not known until then: their OIDs may be others.
 */
export class SchemaWatch {
  readonly #target: Target;
  readonly #options: SchemaWatchOptions;
  readonly #types = new TypePair();
  readonly #collations = new CollationPair();
  /** What was last said to be sorted otherwise. */
  #saidOtherwise = "";
  /** Where the primary was when it was asked last. */
  #sourceKey = "";
  /** Said once, until it changes. */
  readonly #isKnown = new Map<string, boolean>();
  #state: "idle" | "asking" | "stale" = "idle";
  #hasCatalog = false;
  /** The mirror was not reached: it is asked again by then. */
  #retry: Timer | undefined;

  constructor(target: Target, options: SchemaWatchOptions) {
    this.#target = target;
    this.#options = options;
  }

  /**
   * The schema may have changed.
   *
   * @param isBack the mirror answers again: it is not left alone for having failed before.
   */
  look(isBack = false): void {
    // It may have been restored from a dump.
    if (isBack) this.#types.mirror.reset();
    else this.#types.mirror.forget();
    this.#types.primary.forget();
    this.#target.schema.ask();
    if (isBack && this.#retry !== undefined) {
      this.#options.reactor.cancel(this.#retry);
      this.#retry = undefined;
      this.#state = "idle";
    }
    if (this.#state !== "idle") {
      this.#state = "stale";
      return;
    }
    this.#state = "asking";
    this.#target.schema.asking();
    const { reactor, scratch } = this.#options;
    const startUs = reactor.nowUs;
    const { settings, server } = this.#target;
    const catalogOf = (rows: Rows) =>
      new Catalog(rows, this.#types, this.#collations);
    askServer({
      reactor,
      scratch,
      settings,
      server,
      sql: CATALOG_QUESTION,
      timeoutMs: Math.max(ANSWER_MS, settings.connectTimeoutMs),
      onAnswer: (rows) => {
        this.#target.catalog = catalogOf(rows);
        this.#hasCatalog = true;
        if (this.#state === "asking") this.#target.schema.answer();
        this.#say("Mirror's schema", true, { rows: rows.length });
        this.#target.schema.asked(true);
        const tookMs = (reactor.nowUs - startUs) / 1_000;
        this.#askPrimary(Math.max(LEAST_MS, PAUSE_RATIO * tookMs));
      },
      onFailed: (reason, hasAnswered) => {
        // A mirror that is down comes back with the schema that it had, most likely.
        if (hasAnswered) this.#hasCatalog = false;
        if (!this.#hasCatalog) this.#target.catalog = catalogOf([]);
        this.#say("Mirror's schema", false, { reason });
        this.#state = "stale";
        this.#retry = this.#rest(RETRY_MS);
        this.#target.schema.asked(this.#hasCatalog);
        this.#target.schema.typesTold(true);
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
    if (key !== this.#sourceKey) {
      primary.reset();
      this.#collations.forget();
    }
    this.#sourceKey = key;
    if (source === undefined) {
      this.#typesTold();
      this.#rest(restMs);
      return;
    }
    const { reactor, scratch, serverOf } = this.#options;
    const askPrimary = (
      sql: string,
      what: "Primary's types" | "Collations",
      onAnswer: (rows: Rows) => void,
    ) =>
      askServer({
        reactor,
        scratch,
        settings: { login: source.login, connectTimeoutMs },
        server: serverOf(source),
        sql,
        onAnswer,
        onFailed: (reason) => {
          // The next look asks again: this one would cost the mirror another.
          this.#collations.forget();
          this.#say(what, false, { reason });
          if (what === "Primary's types") this.#typesTold();
          this.#rest(restMs);
        },
      });
    askPrimary(TYPES_QUESTION, "Primary's types", (rows) => {
      primary.learn(rows);
      // A look that was asked for meanwhile knows better.
      if (this.#state !== "asking") primary.forget();
      this.#typesTold();
      this.#say("Primary's types", true, { types: rows.length });
      if (this.#state !== "asking") {
        this.#rest(restMs);
        return;
      }
      askPrimary(COLLATIONS_QUESTION, "Collations", (rows) => {
        this.#askMirror(rows, restMs);
      });
    });
  }

  #typesTold(): void {
    this.#target.schema.typesTold(this.#state === "asking");
  }

  /** Asks the mirror how it sorts, knowing how the primary does, and rests. */
  #askMirror(primary: Rows, restMs: number): void {
    const { reactor, scratch } = this.#options;
    const { settings, server } = this.#target;
    askServer({
      reactor,
      scratch,
      settings,
      server,
      sql: COLLATIONS_QUESTION,
      onAnswer: (mirror) => {
        if (this.#state === "asking") this.#learnCollations(primary, mirror);
        this.#rest(restMs);
      },
      onFailed: (reason) => {
        this.#collations.forget();
        this.#say("Collations", false, { reason });
        this.#rest(restMs);
      },
    });
  }

  #learnCollations(primary: Rows, mirror: Rows): void {
    this.#collations.learn(primary, mirror);
    this.#say("Collations", this.#collations.areKnown, {});
    const { collations, columns } = this.#collations.otherwise;
    const text = JSON.stringify([collations, columns]);
    if (text === this.#saidOtherwise) return;
    this.#saidOtherwise = text;
    if (collations.length === 0) return;
    this.#target.log("warn", "Mirror sorts text otherwise", {
      collations: collations.slice(0, MAX_NAMED),
      columns: columns.slice(0, MAX_NAMED),
      count: columns.length,
    });
  }

  #say(
    what: "Mirror's schema" | "Primary's types" | "Collations",
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

  #rest(ms: number): Timer {
    return this.#options.reactor.after(ms, () => {
      this.#retry = undefined;
      const isStale = this.#state === "stale";
      this.#state = "idle";
      if (!isStale) return;
      if (this.#target.removed) this.#target.schema.typesTold(true);
      else this.look();
    });
  }
}
