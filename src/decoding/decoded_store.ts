import type { DecodedTransaction } from "./decoded_transaction.ts";
import type { Moment } from "./server_clock.ts";

/** Bound of what waits for its client's record, in characters of changes and what each transaction takes beside. */
const MAX_SIZE = 16 * 1024 * 1024;
const TRANSACTION_SIZE = 512;
/** A record comes in within milliseconds of its commit. This is counted from when the log has told: both may be late. */
const KEPT_US = 5_000_000;
/** How far the two clocks may be apart beyond what was measured. */
const SLACK_US = 1_000;

/** A transaction of the log that nobody has taken yet. */
export interface StoredTransaction {
  /** Its place among all, in the order of commits. */
  readonly number: number;
  readonly transaction: DecodedTransaction;
  readonly addedUs: number;
}

/** What the log has told, in the order of commits, until a client's transaction takes it. */
export class DecodedStore {
  #stored: StoredTransaction[] = [];
  #size = 0;
  #next = 0;

  /** The number of the next one. */
  get next(): number {
    return this.#next;
  }

  add(transaction: DecodedTransaction, nowUs: number): void {
    this.#stored.push({ number: this.#next++, transaction, addedUs: nowUs });
    this.#size += sizeOf(transaction);
    while (this.#size > MAX_SIZE) this.#drop(this.#stored.shift());
  }

  /** Those from a number on whose commit may lie between two moments. */
  between({ fromUs, toUs }: Moment, from: number): StoredTransaction[] {
    const found: StoredTransaction[] = [];
    for (let i = this.#stored.length - 1; i >= 0; i--) {
      const stored = this.#stored[i] as StoredTransaction; // in bounds
      if (stored.number < from) break;
      const { committed } = stored.transaction;
      if (
        committed.toUs + SLACK_US >= fromUs &&
        committed.fromUs - SLACK_US <= toUs
      ) found.push(stored);
    }
    return found.reverse();
  }

  /** @returns whether nobody was before. */
  take(stored: StoredTransaction): boolean {
    const at = this.#stored.indexOf(stored);
    if (at < 0) return false;
    this.#stored.splice(at, 1);
    this.#drop(stored);
    return true;
  }

  has(stored: StoredTransaction): boolean {
    return this.#stored.includes(stored);
  }

  /** Forgets what nobody will ask for any more. */
  age(nowUs: number): void {
    let old = 0;
    for (const { addedUs } of this.#stored) {
      if (addedUs + KEPT_US >= nowUs) break;
      old++;
    }
    for (const stored of this.#stored.splice(0, old)) this.#drop(stored);
  }

  clear(): void {
    this.#stored = [];
    this.#size = 0;
  }

  #drop(stored: StoredTransaction | undefined): void {
    if (stored !== undefined) this.#size -= sizeOf(stored.transaction);
  }
}

/** What a transaction takes, in characters of its changes and what it takes beside. */
export function sizeOf({ size }: DecodedTransaction): number {
  return TRANSACTION_SIZE + size;
}
