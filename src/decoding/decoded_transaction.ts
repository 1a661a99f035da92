import type { Moment } from "./server_clock.ts";
import { type DecodedChange, decodedLine, NOT_TOLD } from "./test_decoding.ts";

/** Bytes of changes that are kept of one transaction; of one that wrote more nobody is told anything. */
const MAX_TRANSACTION_BYTES = 1024 * 1024;

/** A transaction as the primary's log has it. */
export interface DecodedTransaction {
  /** When it committed, by our clock. */
  readonly committed: Moment;
  /** In the order in which they were written. */
  readonly changes: readonly DecodedChange[];
  /** Characters of the changes. */
  readonly size: number;
}

/** Puts the lines of transactions together, which never interleave. */
export class TransactionReader {
  readonly #momentOf: (serverUs: number) => Moment | undefined;
  #changes: DecodedChange[] = [];
  #size = 0;
  #isWhole = true;

  constructor(momentOf: (serverUs: number) => Moment | undefined) {
    this.#momentOf = momentOf;
  }

  /**
   * Takes one line.
   *
   * @param isCut the line was too long to be kept to its end.
   * @returns the transaction that it ends.
   */
  line(line: string, isCut: boolean): DecodedTransaction | undefined {
    const found = decodedLine(line);
    switch (found?.type) {
      case "begin":
        this.#changes = [];
        this.#size = 0;
        this.#isWhole = true;
        return undefined;
      case "changes":
        return this.#add(
          isCut
            ? found.changes.map((change) => ({ ...change, text: NOT_TOLD }))
            : found.changes,
        );
      case "commit": {
        const committed = this.#momentOf(found.committedUs);
        const changes = this.#changes;
        this.#changes = [];
        return committed === undefined || !this.#isWhole
          ? undefined
          : { committed, changes, size: this.#size };
      }
      case undefined:
        this.#isWhole = false;
    }
    return undefined;
  }

  #add(changes: readonly DecodedChange[]): undefined {
    for (const change of changes) {
      this.#size += change.text.length + change.relation.length;
      if (this.#size > MAX_TRANSACTION_BYTES) {
        this.#isWhole = false;
        this.#changes = [];
      } else this.#changes.push(change);
    }
  }
}
