import { monotonicUs, type Timer } from "../io/mod.ts";
import type { QueuedTransaction } from "./lane_queue.ts";
import type { OrderedLane, Turn } from "./place.ts";
import type { Replay } from "./replay.ts";
import type { Target } from "./target.ts";

/**
 * Who committed just before may be heard of just after: its ReadyForQuery waits
 * in another worker's socket. So long a transaction rests before its place
 * among the writers is believed.
 */
const SETTLE_US = 12_000;
/** Rests end in steps of so much: each end by itself would wake the worker. */
const SETTLE_STEP_US = 2_000;
/** A cycle that is due so soon is sent at once. */
const PACING_SLACK_US = 1_000;

/** What a departure asks of its lane. */
export interface Departing {
  /** The cycle may be sent now. */
  depart(replay: Replay): void;
  /** Runs what a timer or another lane has begun; what it throws is the lane's to handle. */
  guarded(run: () => void): void;
  /** Call {@linkcode Departure.look} at the next look at deadlines; false: no more. */
  watch(on: boolean): void;
  /** Somebody waits for a transaction of the lane. */
  onWanted(): void;
}

/**
 * Says when the next cycle of a lane may go to the mirror: not before its
 * client's pauses are over (unless somebody waits for this lane), not before
 * those whose commits came first, and the first one not before the mirror has
 * told its schema and the primary's log what it gave, or can't.
 *
 * ```
 * at rest ──next──> pausing ──> reading ──> ordering ──> typing ──depart──> at rest
 * ```
 */
export class Departure implements OrderedLane {
  heardUs = 0;
  expectedUs = 0;
  readonly #target: Target;
  readonly #series: number;
  readonly #lane: Departing;
  #state: "at rest" | "pausing" | "reading" | "ordering" | "typing" = "at rest";
  #entry: QueuedTransaction | undefined;
  #replay: Replay | undefined;
  /** The transaction under way has sent a cycle that wrote. */
  #holdsLocks = false;
  /** It went ahead of another one, and is counted. */
  #isAhead = false;
  #sinceUs = 0;
  /** Transactions of this lane that somebody waits for. */
  #wanted = 0;
  #timer: Timer | undefined;
  #stopWaiting: () => void = nothing;

  constructor(target: Target, series: number, lane: Departing) {
    this.#target = target;
    this.#series = series;
    this.#lane = lane;
  }

  /** A transaction is the next to be replayed. */
  begin(entry: QueuedTransaction, replay: Replay): void {
    this.#entry = entry;
    this.#replay = replay;
    this.#holdsLocks = this.#isAhead = false;
  }

  /** A transaction of this lane is done with: nothing here refers to it any more. */
  end(entry: QueuedTransaction): void {
    if (entry.ordered?.wanted) this.#wanted--;
    if (entry !== this.#entry) return;
    this.#entry = this.#replay = this.#timer = undefined;
    this.#stopWaiting = nothing;
  }

  /** Lets its next cycle go as soon as it may. */
  next(nowUs: number): void {
    const replay = this.#replay;
    if (replay === undefined) return;
    this.heardUs = nowUs;
    this.expectedUs = 0;
    const { settings } = this.#target;
    const { endUs } = replay.transaction;
    // Nobody else waits for a client's pauses.
    const paced = settings.pacing === "original" && this.#wanted === 0;
    const dueUs = endUs + (paced ? replay.dueUs : 0);
    const settledUs = settings.order === "commit" ? restOver(endUs) : 0;
    const waitUs = Math.max(dueUs - PACING_SLACK_US, settledUs) - nowUs;
    if (waitUs <= 0) return this.#read(replay);
    this.#state = "pausing";
    this.#lane.watch(false);
    this.#after(waitUs / 1e3, () => this.#read(replay));
  }

  /** Waits for what the mirror's catalog and the primary's log tell. */
  #read(replay: Replay): void {
    const isAwaited = this.#target.schema.wait(() => {
      if (this.#state !== "reading" || this.#replay !== replay) return;
      this.#lane.guarded(() => this.#read(replay));
    });
    if (isAwaited) {
      this.#state = "reading";
      this.#lane.watch(false);
      return;
    }
    const logged = this.#entry?.logged;
    if (!logged?.isWaiting) return this.#inOrder(replay);
    this.#state = "reading";
    this.#lane.watch(false);
    logged.onSettled = () => {
      if (this.#state !== "reading" || this.#replay !== replay) return;
      this.#lane.guarded(() => this.#inOrder(replay));
    };
  }

  /** Whether somebody waits for a transaction of this lane. */
  get isWanted(): boolean {
    return this.#wanted > 0;
  }

  /** Somebody waits for a transaction of this lane. */
  onWanted(): void {
    this.#wanted++;
    this.#lane.onWanted();
    if (this.#state !== "pausing") return;
    this.#target.reactor.cancel(this.#timer);
    this.#after(0, () => this.next(monotonicUs()));
  }

  #after(ms: number, run: () => void): void {
    const { reactor } = this.#target;
    this.#timer = reactor.after(ms, () => this.#lane.guarded(run));
  }

  /** A writer that never ends must not hold up the rest for ever. */
  look(nowUs: number): void {
    const { settings, order } = this.#target;
    const replay = this.#replay;
    if (this.#state !== "ordering" || replay === undefined) return;
    const turn = this.#turn(replay);
    if (turn === undefined) return;
    const isOverdue =
      order.overdueUs(this, nowUs, this.#sinceUs) > settings.timeoutMs * 1e3;
    // Its own turn may have come by that.
    if (isOverdue && order.giveUp(turn, nowUs)) return;
    const isStalled = this.#holdsLocks &&
      order.isStalled(this, nowUs, this.#sinceUs);
    if (!isOverdue && !isStalled) return;
    this.#stopWaiting();
    this.#goAhead(turn);
    this.#depart(replay);
  }

  /** Goes whether or not somebody should come before it. */
  #goAhead(turn: Turn): void {
    const { order, probes } = this.#target;
    if (!order.overtake(turn) || this.#isAhead) return;
    this.#isAhead = true;
    probes.orderBroken(this.#series);
  }

  /** Nothing is to be sent any more. */
  cancel(): void {
    this.#target.reactor.cancel(this.#timer);
    this.#stopWaiting();
    this.#state = "at rest";
    this.#replay = undefined;
  }

  #inOrder(replay: Replay): void {
    const { settings, order } = this.#target;
    const turn = this.#turn(replay);
    if (
      turn === undefined || settings.order === "client" || order.isTurn(turn)
    ) return this.#depart(replay);
    this.#state = "ordering";
    this.#sinceUs = monotonicUs();
    this.#stopWaiting = order.wait(
      this,
      turn,
      () => this.#lane.guarded(() => this.#depart(replay)),
    );
    this.#lane.watch(true);
  }

  /** Waits for what both servers tell of a type that was just made: its maker came first, in order. */
  #depart(replay: Replay): void {
    // Without a login for it the primary never tells of its types.
    const { settings: { source }, schema } = this.#target;
    const isAwaited = source && schema.waitForTypes(
      () => replay.areTypesKnown(this.#target.catalog.types),
      () => {
        if (this.#state !== "typing" || this.#replay !== replay) return;
        this.#lane.guarded(() => this.#go(replay));
      },
    );
    if (!isAwaited) return this.#go(replay);
    this.#state = "typing";
    this.#lane.watch(false);
  }

  #go(replay: Replay): void {
    const { order, settings } = this.#target;
    const nowUs = monotonicUs();
    const turn = this.#turn(replay);
    if (turn !== undefined && order.hasGivenUp && settings.order === "commit") {
      this.#goAhead(turn);
    }
    const ordered = this.#entry?.ordered;
    if (ordered !== undefined) {
      ordered.mirrorStartUs = Math.min(ordered.mirrorStartUs, nowUs);
      order.sent(ordered);
    }
    this.heardUs = nowUs;
    // Who waits for a later transaction of this lane does not wait for a query of an hour.
    const isWriter = ordered !== undefined && ordered.writes !== undefined;
    this.expectedUs = nowUs + (isWriter ? 2 * replay.primaryLatencyUs : 0);
    if ((turn?.committedBeforeUs ?? 0) > 0) this.#holdsLocks = true;
    this.#state = "at rest";
    this.#lane.depart(replay);
  }

  #turn(replay: Replay): Turn | undefined {
    return this.#entry?.plan?.turns[replay.cycle];
  }
}

/** When a transaction that ended on the primary at this moment has rested. */
function restOver(endUs: number): number {
  return Math.ceil((endUs + SETTLE_US) / SETTLE_STEP_US) * SETTLE_STEP_US;
}

function nothing(): void {}
