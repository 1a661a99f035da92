import type { OrderedTransaction, Turn } from "./place.ts";
import type { Relations } from "./footprint.ts";

/** Ends of a line that are dead before it is swept, at least. */
const MIN_SWEEP = 32;
/** Relations whose lines are kept although they are empty. */
const MAX_EMPTY = 1_024;

/** Whether an open transaction is in front of a turn. */
export type IsBefore = (ordered: OrderedTransaction, turn: Turn) => boolean;

/** Transactions by key, ascending; those that are done are swept out now and then. */
class Line {
  #items: OrderedTransaction[] = [];
  /** Those before it are done. */
  #first = 0;
  #done = 0;

  get isEmpty(): boolean {
    return this.#items.length === this.#done;
  }

  add(ordered: OrderedTransaction): void {
    const items = this.#items;
    // Records come in nearly in order.
    let at = items.length;
    while (
      at > this.#first &&
      (items[at - 1] as OrderedTransaction).key > ordered.key
    ) at--;
    if (at === items.length) items.push(ordered);
    else items.splice(at, 0, ordered);
  }

  /** One of them is done. */
  ended(): void {
    const items = this.#items;
    this.#done++;
    while (items[this.#first]?.done) this.#first++;
    if (
      this.#done < items.length &&
      (this.#done < MIN_SWEEP || 2 * this.#done < items.length)
    ) return;
    this.#items = this.isEmpty ? [] : items.filter(({ done }) => !done);
    this.#first = this.#done = 0;
  }

  /** The last one that is in front of a turn. */
  last(
    turn: Turn,
    isBefore: IsBefore,
    skipped: ReadonlySet<unknown>,
  ): OrderedTransaction | undefined {
    const items = this.#items;
    let low = this.#first;
    let high = items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((items[middle] as OrderedTransaction).key < turn.key) {
        low = middle + 1;
      } else high = middle;
    }
    while (--low >= this.#first) {
      const one = items[low] as OrderedTransaction; // below length
      if (one.done || !isBefore(one, turn)) continue;
      if (skipped.size === 0 || !skipped.has(one.lane)) return one;
    }
    return undefined;
  }

  /** All that are in front of a turn. */
  all(turn: Turn, isBefore: IsBefore, found: Set<OrderedTransaction>): void {
    for (let i = this.#first; i < this.#items.length; i++) {
      const one = this.#items[i] as OrderedTransaction; // below length
      if (one.key >= turn.key) return;
      if (!one.done && isBefore(one, turn)) found.add(one);
    }
  }
}

/**
 * Transactions that are not done on the mirror, by the relations where others
 * wait for them: to find a turn's last blocker costs a look at each of its
 * relations, however many transactions are open.
 */
export class OpenPlaces {
  readonly #all = new Line();
  /** Those whose relations are not known. */
  readonly #anywhere = new Line();
  readonly #lines = new Map<string, Line>();

  add(ordered: OrderedTransaction, relations: Relations): void {
    if (relations.length === 0) return;
    this.#all.add(ordered);
    if (relations === "all") return this.#anywhere.add(ordered);
    for (const relation of relations) {
      let line = this.#lines.get(relation);
      if (line === undefined) this.#lines.set(relation, line = new Line());
      line.add(ordered);
    }
  }

  /** One that was added is done. */
  ended(relations: Relations): void {
    if (relations.length === 0) return;
    this.#all.ended();
    if (relations === "all") return this.#anywhere.ended();
    for (const relation of relations) {
      const line = this.#lines.get(relation);
      line?.ended();
      if (this.#lines.size > MAX_EMPTY && line?.isEmpty) {
        this.#lines.delete(relation);
      }
    }
  }

  /** The last one in front of a turn that meets it in these relations. */
  last(
    relations: Relations,
    turn: Turn,
    isBefore: IsBefore,
    skipped: ReadonlySet<unknown>,
  ): OrderedTransaction | undefined {
    if (relations.length === 0 || this.#all.isEmpty) return undefined;
    if (relations === "all") return this.#all.last(turn, isBefore, skipped);
    let last = this.#anywhere.isEmpty
      ? undefined
      : this.#anywhere.last(turn, isBefore, skipped);
    for (const relation of relations) {
      const one = this.#lines.get(relation)?.last(turn, isBefore, skipped);
      last = later(last, one);
    }
    return last;
  }

  /** Adds all in front of a turn that meet it in these relations. */
  collect(
    relations: Relations,
    turn: Turn,
    isBefore: IsBefore,
    found: Set<OrderedTransaction>,
  ): void {
    if (relations.length === 0) return;
    if (relations === "all") return this.#all.all(turn, isBefore, found);
    this.#anywhere.all(turn, isBefore, found);
    for (const relation of relations) {
      this.#lines.get(relation)?.all(turn, isBefore, found);
    }
  }
}

/** Of two the one with the greater key. */
export function later(
  a: OrderedTransaction | undefined,
  b: OrderedTransaction | undefined,
): OrderedTransaction | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return b.key > a.key ? b : a;
}
