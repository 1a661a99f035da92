import type { Catalog } from "../catalog/mod.ts";
import type { LogClaim } from "../decoding/mod.ts";
import type { OrderedTransaction } from "./place.ts";
import { defines, type Plan } from "./plan.ts";
import type { Target } from "./target.ts";
import type { Transaction } from "../record/mod.ts";

/** A queue entry: a transaction to replay, or one of which only the session state is wanted. */
export interface QueuedTransaction {
  readonly transaction: Transaction;
  /** Undefined if only the session state is wanted. */
  readonly plan: Plan | undefined;
  /** Its place in the order; undefined: nobody waits for it. */
  readonly ordered: OrderedTransaction | undefined;
  /** What the primary's log tells of it; undefined: nothing. */
  readonly logged?: LogClaim | undefined;
  /** By this catalog nothing of it is unsafe. */
  cleared?: Catalog;
}

/**
 * What waits for one lane. Its length is bounded by `mirror_queue`, the bytes
 * of all lanes together by `mirror_queue_bytes`: an entry's bytes are taken
 * from the budget before it is pushed, and given back when it is settled.
 */
export class LaneQueue {
  readonly #target: Target;
  readonly #series: number;
  /** Those before `#head` have left, and are let go of at once: they are no longer in the budget. */
  #entries: (QueuedTransaction | undefined)[] = [];
  #head = 0;

  constructor(target: Target, series: number) {
    this.#target = target;
    this.#series = series;
  }

  get length(): number {
    return this.#entries.length - this.#head;
  }

  /** What is queued, oldest first. */
  waiting(): readonly QueuedTransaction[] {
    return this.#entries.slice(this.#head) as QueuedTransaction[]; // they have not left
  }

  push(entry: QueuedTransaction): void {
    this.#entries.push(entry);
    this.#count(1);
    this.#gauge();
  }

  /** The first entry leaves the queue; it is not settled yet. */
  shift(): QueuedTransaction | undefined {
    const entry = this.#entries[this.#head];
    if (entry === undefined) return undefined;
    this.#entries[this.#head] = undefined;
    // A mirror that never catches up never finds its queue empty.
    if (++this.#head * 2 >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    this.#count(-1);
    this.#gauge();
    return entry;
  }

  /** An entry that has left the queue is done with: replayed, failed or dropped. */
  settle({ transaction, plan, ordered, logged }: QueuedTransaction): void {
    const { budget, order, schema } = this.#target;
    budget.give(transaction.size);
    logged?.release();
    this.#gauge();
    if (plan !== undefined && defines(plan)) schema.settle();
    if (ordered !== undefined) order.end(ordered);
  }

  #count(change: number): void {
    const { queued } = this.#target;
    queued.set(this.#series, (queued.get(this.#series) ?? 0) + change);
  }

  #gauge(): void {
    const { probes, queued, budget } = this.#target;
    probes.queue(this.#series, queued.get(this.#series) ?? 0, budget.bytes);
  }
}
