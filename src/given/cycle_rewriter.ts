import type { RowLockings } from "./row_lockings.ts";
import type { Shape } from "../sql/shape.ts";
import {
  InsertRewriter,
  isOfConcern as isInsert,
  type Rewritten as WithValues,
} from "./insert_rewriter.ts";
import type { RewriterOptions } from "./insert_rewriter.ts";
import {
  type Lag,
  MomentRewriter,
  type MomentRewriterOptions,
  turnsOnMoment,
} from "./moment_rewriter.ts";
import { withLargeObject } from "./large_objects.ts";
import { withMirrorTypes } from "./sent_types.ts";
import {
  type CycleOnPrimary,
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
  readonly #lockings: RowLockings;
  readonly #locking: LockingRewriter;
  readonly #moments: MomentRewriter;
  readonly #options: CycleRewriterOptions;
  /** Messages of the cycle under way that the client has not sent. */
  #added: readonly number[] = [];

  constructor(options: CycleRewriterOptions) {
    this.#inserts = new InsertRewriter(options);
    this.#lockings = options.lockings;
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

  /** Whether a cycle's statements may have to be written, or change how others are. */
  isOfConcern(shapes: readonly Shape[]): boolean {
    return isInsert(shapes) ||
      shapes.some((shape) =>
        turnsOnMoment(shape) || this.#lockings.isOfConcern(shape)
      );
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
    reply: CycleOnPrimary["reply"],
  ): Uint8Array<ArrayBuffer> {
    const { giving, catalog } = this.#options;
    const typed = withMirrorTypes(bytes, catalog().types);
    return giving.isOn ? withLargeObject(typed, () => reply(0)) : typed;
  }

  /**
   * Writes one cycle.
   *
   * @param lag undefined: the cycle is not the client's own.
   */
  cycle(
    bytes: Uint8Array<ArrayBuffer>,
    lag: Lag | undefined,
    primary: CycleOnPrimary,
  ): Rewritten {
    const { made, reply, logged } = primary;
    const atMoment = this.#moments.cycle(bytes, lag);
    const locking = this.#locking.cycle(atMoment, primary);
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
