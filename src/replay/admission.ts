import { Dropped, Excluded } from "../stats/ledger.ts";
import { excludeRuleText } from "../stats/mod.ts";
import {
  type ExcludeRules,
  type SessionExclusion,
  type SessionNames,
  sessionNames,
} from "./exclude_rules.ts";
import type { Footprint } from "./footprint.ts";
import { claimLog, NO_SERIES } from "./log_claim.ts";
import type { LaneLink } from "./lane_link.ts";
import type { LaneQueue } from "./lane_queue.ts";
import { lastingState } from "./lasting_state.ts";
import { leaveOut } from "./left_out.ts";
import { defines, isWithin, type Plan, planTransaction } from "./plan.ts";
import type { OrderedLane } from "./place.ts";
import type { SessionLog } from "./session_log.ts";
import { SessionStatements } from "./session_statements.ts";
import { logFault, type Target } from "./target.ts";
import { isUnsafe } from "./unsafe_statements.ts";
import { startupIsolation } from "../sql/mod.ts";
import type { Shape } from "../sql/shape.ts";
import {
  CYCLE_STATEMENTS,
  CYCLE_WORDS,
  KIND_ERROR,
  KIND_MASK,
  STATEMENT_KIND,
  STATEMENT_WORDS,
  type Transaction,
} from "../record/mod.ts";

/** What an admission looks at, and where it puts what it admits. */
export interface AdmissionOptions {
  readonly target: Target;
  readonly series: number;
  /** The client's number. */
  readonly session: number;
  readonly queue: LaneQueue;
  readonly link: LaneLink;
  /** State that the mirror has missed is put here while nothing is queued and nobody connected. */
  readonly log: SessionLog;
  /** The lane that replays what is queued. */
  readonly lane: OrderedLane;
  /** The client's startup parameters, `name\0value\0…`. */
  readonly parameters: string;
}

/**
 * Decides which of a session's transactions go into a lane's queue, and counts
 * the others: those that are excluded (by the settings, since they are unsafe,
 * or since the mirror would commit what the primary rolled back by chance), and
 * those that are dropped. Of these the session state is kept: a later transaction may need it.
 */
export class Admission {
  readonly #target: Target;
  readonly #series: number;
  readonly #session: number;
  readonly #queue: LaneQueue;
  readonly #link: LaneLink;
  readonly #log: SessionLog;
  readonly #lane: OrderedLane;
  readonly #statements: SessionStatements;
  #tainted: boolean;
  readonly #footprintOf: (shape: Shape) => Footprint;
  readonly #names: SessionNames;
  /** The rules that may fit the session, and all of which they are. */
  #exclusion: { readonly own: SessionExclusion; readonly of: ExcludeRules };
  /** The key of the last one with a place in the order that was queued. */
  #lastKey = 0;

  /** @param sibling that of another lane of the same session, whose statements this one begins with. */
  constructor(
    { target, series, session, queue, link, log, lane, parameters }:
      AdmissionOptions,
    sibling?: Admission,
  ) {
    this.#target = target;
    this.#series = series;
    this.#session = session;
    this.#queue = queue;
    this.#link = link;
    this.#log = log;
    this.#lane = lane;
    this.#statements = new SessionStatements(
      target.shapes,
      sibling && sibling.#statements,
      startupIsolation(parameters),
      // What it is told is known before it is asked, for the order of writers.
      (read, ...text) => target.rowLockings.key(read, target.catalog, ...text),
    );
    this.#tainted = log.lost;
    this.#names = sessionNames(parameters, target.settings.sourceDatabase);
    const { exclude } = target;
    this.#exclusion = { own: exclude.ofSession(this.#names), of: exclude };
    this.#footprintOf = (shape) =>
      target.footprints.of(shape, target.catalog, target.schema.isKnown);
  }

  /** What the session's state is on the mirror, nobody knows. */
  get tainted(): boolean {
    return this.#tainted;
  }

  /** From now on everything is dropped. */
  taint(): void {
    this.#tainted = true;
  }

  /**
   * Queues a finished transaction, or counts why not.
   *
   * @throws what our own code threw before anything was counted.
   */
  submit(transaction: Transaction): void {
    const { probes, order, primaryLog } = this.#target;
    this.#statements.tellsWritten = primaryLog.matcher.isReading;
    // One that is dropped is planned, too: a later one may execute what it
    // prepared, and whether the level excludes it is asked first.
    const plan = planTransaction(
      transaction,
      this.#statements,
      this.#footprintOf,
      this.#lastKey,
      this.#target.rowLockings,
    );
    primaryLog.matcher.reached(transaction.startUs);
    this.#note(transaction, plan);
    const excluded = this.#excluded(plan);
    if (excluded >= 0) {
      probes.requestExcluded(this.#series, excluded);
      return this.#missed(transaction, plan);
    }
    const refused = this.#refusal(transaction);
    if (refused >= 0) {
      probes.requestDropped(this.#series, refused);
      return this.#missed(transaction, plan);
    }
    if (defines(plan)) this.#target.schema.expect();
    const ordered = plan.place && order.begin(plan.place, this.#lane);
    if (ordered !== undefined) this.#lastKey = ordered.key;
    const logged = claimLog(this.#target, this.#series, transaction, plan);
    const cleared = this.#target.catalog;
    this.#queue.push({ transaction, plan, ordered, logged, cleared });
  }

  /** A transaction that is not to be replayed, and is counted elsewhere. */
  missed(transaction: Transaction): void {
    let plan: Plan | undefined;
    try {
      plan = planTransaction(transaction, this.#statements);
      this.#target.primaryLog.matcher.reached(transaction.startUs);
      this.#note(transaction, plan);
    } catch (error) {
      this.#failed(error);
    }
    this.#missed(transaction, plan);
  }

  /** Which sequences it draws from, replayed or not, and whether anybody is told what they gave. What was refused has left no row with it. */
  #note({ statements, cycles }: Transaction, { shapes }: Plan): void {
    const { giving, catalog } = this.#target;
    let at = STATEMENT_KIND;
    shapes.forEach((cycle, i) => {
      const count = cycles[i * CYCLE_WORDS + CYCLE_STATEMENTS] ?? 0;
      cycle.forEach((shape, n) => {
        const kind = n < count ? statements[at + n * STATEMENT_WORDS] ?? 0 : 0;
        if ((kind & KIND_MASK) !== KIND_ERROR) giving.note(shape, catalog);
      });
      at += count * STATEMENT_WORDS;
    });
  }

  /** Why it is not meant to be replayed (Excluded), or -1. */
  #excluded(plan: Plan): number {
    const { settings: { level, exposure }, random } = this.#target;
    if (this.#isRuledOut(plan)) return Excluded.rule;
    if (!isWithin(level, plan)) return Excluded.level;
    if (exposure < 1 && (exposure <= 0 || random() >= exposure)) {
      return Excluded.sampledOut;
    }
    if (isUnsafe(this.#target, plan)) return Excluded.unsafe;
    if (plan.rollback.by === "none") return Excluded.rolledBack;
    return -1;
  }

  /** Whether a rule of `[[exclude]]` fits it, which is counted. */
  #isRuledOut({ shapes }: Plan): boolean {
    const { exclude, exclusions } = this.#target;
    if (this.#exclusion.of !== exclude) {
      this.#exclusion = { own: exclude.ofSession(this.#names), of: exclude };
    }
    const rule = this.#exclusion.own.ruleOf(shapes);
    if (rule === undefined) return false;
    exclusions.count("rule", excludeRuleText(rule));
    return true;
  }

  /** Why it can't be queued (Dropped), or -1. Takes its bytes from the budget. */
  #refusal(transaction: Transaction): number {
    const { settings, budget, removed } = this.#target;
    if (removed) return Dropped.removed;
    if (settings.paused) return Dropped.paused;
    if (this.#tainted) this.#heal(transaction);
    if (this.#tainted || this.#link.isRefused) return Dropped.sessionTainted;
    if (this.#link.isDown) return Dropped.mirrorDown;
    if (this.#queue.length >= settings.queueLength) return Dropped.queueFull;
    if (!budget.take(transaction.size)) return Dropped.queueFull;
    return -1;
  }

  /** DISCARD ALL, as poolers send it: whatever the session's state was, it is known again. */
  #heal(transaction: Transaction): void {
    if (this.#queue.length > 0) return;
    if (lastingState(transaction).cleared !== "all") return;
    this.#log.clear();
    this.#tainted = false;
  }

  /** It is not replayed: what it did to the session's state is, in its turn. */
  #missed(transaction: Transaction, plan: Plan | undefined): void {
    try {
      // What is its own in the log nobody else may take.
      if (plan) {
        claimLog(this.#target, NO_SERIES, transaction, plan);
        leaveOut(this.#target, transaction, plan, this.#session);
      }
      this.#keepState(transaction);
    } catch (error) {
      this.#failed(error);
    }
  }

  #keepState(transaction: Transaction): void {
    const state = lastingState(transaction);
    if (state.lost) this.taint();
    const { repeat, closed, cleared } = state;
    if (repeat.length + closed.length === 0 && cleared === "nothing") return;
    if (!this.#link.isConnected && this.#queue.length === 0) {
      this.#log.add(state);
    } else if (this.#target.budget.take(transaction.size)) {
      this.#queue.push({ transaction, plan: undefined, ordered: undefined });
    } else this.taint();
  }

  /** Our own code threw at a transaction that is counted: its session is given up instead. */
  #failed(error: unknown): void {
    logFault(this.#target, error);
    this.taint();
  }
}
