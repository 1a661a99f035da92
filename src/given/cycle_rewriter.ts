import type { Reply } from "../judge/mod.ts";
import type { Shape } from "../sql/shape.ts";
import {
  InsertRewriter,
  isOfConcern as isInsert,
  type Rewritten as WithValues,
} from "./insert_rewriter.ts";
import type { RewriterOptions } from "./insert_rewriter.ts";
import type { LoggedResults } from "./logged_rows.ts";
import {
  type Lag,
  MomentRewriter,
  type MomentRewriterOptions,
  turnsOnMoment,
} from "./moment_rewriter.ts";
import type { Moment } from "./own_defaults.ts";
import { withLargeObject } from "./large_objects.ts";
import { withMirrorTypes } from "./sent_types.ts";
import {
  LockingRewriter,
  type LockingRewriterOptions,
  type TakenResults,
} from "./locking_rewriter.ts";

/** A cycle as the mirror gets it. */
export interface Rewritten extends WithValues {
  readonly taken: TakenResults;
}

type CycleRewriterOptions =
  & RewriterOptions
  & LockingRewriterOptions
  & MomentRewriterOptions;

/** Writes the cycles that go over one connection: INSERTs and UPDATEs get values, what locks rows with SKIP LOCKED gets their keys, and conditions get the primary's moment. */
export class CycleRewriter {
  readonly #inserts: InsertRewriter;
  readonly #locking: LockingRewriter;
  readonly #moments: MomentRewriter;
  readonly #options: CycleRewriterOptions;
  /** Messages of the cycle under way that the client has not sent. */
  #added: readonly number[] = [];

  constructor(options: CycleRewriterOptions) {
    this.#inserts = new InsertRewriter(options);
    this.#locking = new LockingRewriter(options);
    this.#moments = new MomentRewriter(options);
    this.#options = options;
  }

  /** Whether the primary's answers come with their rows. */
  set isTold(isTold: boolean) {
    this.#locking.isTold = isTold;
  }

  /** Statements are prepared with more parameters than the client's: each cycle must be looked at. */
  get hasPrepared(): boolean {
    return this.#inserts.hasPrepared || this.#locking.hasPrepared ||
      this.#moments.hasPrepared;
  }

  /** A new connection: nothing is prepared on it. */
  reset(): void {
    this.#inserts.reset();
    this.#locking.reset();
    this.#moments.reset();
  }

  /**
   * A cycle with the mirror's OIDs of types, and the primary's of a large object
   * that it makes: before all else, since what is added has the mirror's already.
   * Its length stays.
   */
  withOids(
    bytes: Uint8Array<ArrayBuffer>,
    reply: (result: number) => Reply | undefined,
  ): Uint8Array<ArrayBuffer> {
    const { giving, catalog } = this.#options;
    const typed = withMirrorTypes(bytes, catalog().types);
    return giving.isOn ? withLargeObject(typed, () => reply(0)) : typed;
  }

  /**
   * Writes one cycle.
   *
   * @param made when the primary answered the transaction.
   * @param lag undefined: the cycle is not the client's own.
   * @param reply the primary's to the cycle's n-th result, from 0.
   * @param logged the rows of it that the primary's log has.
   */
  cycle(
    bytes: Uint8Array<ArrayBuffer>,
    made: Moment,
    lag: Lag | undefined,
    reply: (result: number) => Reply | undefined,
    logged?: LoggedResults,
  ): Rewritten {
    const atMoment = this.#moments.cycle(bytes, lag);
    const locking = this.#locking.cycle(atMoment, made, reply);
    const inserts = this.#inserts.cycle(locking.bytes, made, reply, logged);
    this.#added = inserts.added;
    return { ...inserts, taken: locking.taken };
  }

  /** The mirror has answered the cycle, and acted on so many of its messages. */
  answered(completed: number): void {
    this.#inserts.answered(completed);
    const added = this.#added.filter((number) => number < completed).length;
    this.#locking.answered(completed - added);
    this.#moments.answered(completed - added);
    this.#added = [];
  }
}

/** Whether a cycle's statements may have to be written, or change how others are. */
export function isOfConcern(shapes: readonly Shape[]): boolean {
  return isInsert(shapes) ||
    shapes.some((shape) =>
      shape.lockingRead !== undefined || turnsOnMoment(shape)
    );
}
