import {
  type ReplyDigest,
  STATEMENT_TAG,
  STATEMENT_WORDS,
  tagHash,
} from "../record/mod.ts";

const COMMIT = tagHash("COMMIT");
const PREPARE_TRANSACTION = tagHash("PREPARE TRANSACTION");
const BEGIN = tagHash("BEGIN");
const START_TRANSACTION = tagHash("START TRANSACTION");
const ROLLBACK = tagHash("ROLLBACK");
const SAVEPOINT = tagHash("SAVEPOINT");
const RELEASE = tagHash("RELEASE");

/**
 * Follows what a cancel (or statement_timeout) leaves of a transaction. The
 * mirror can't be cancelled at the same place, but need not be: the primary
 * undoes the statement, back to its transaction's begin or to a savepoint.
 */
export class Cancellation {
  /** A statement was cancelled. */
  happened = false;
  /** Something of the transaction was committed all the same. */
  committed = false;
  /** Half of a cycle was kept on the primary, and the other half was not: no replay can do that. */
  unrepeatable = false;
  #inCycle = false;
  /** A command of the cycle has begun, ended or marked a transaction. */
  #controls = false;
  /** The block has failed in a cycle that is left out: what it refuses until it is rolled back is, too. */
  #refuses = false;

  /** A command completed; its digest is the last one. */
  completed({ words, statements }: ReplyDigest): void {
    if (statements === 0) return;
    const tag = words[(statements - 1) * STATEMENT_WORDS + STATEMENT_TAG];
    if (tag === COMMIT || tag === PREPARE_TRANSACTION) {
      this.committed = this.#controls = true;
    } else if (
      tag === BEGIN || tag === START_TRANSACTION || tag === ROLLBACK ||
      tag === SAVEPOINT || tag === RELEASE
    ) this.#controls = true;
  }

  /**
   * A statement failed; its digest is the last one.
   *
   * @param copyRefused the client ended it with CopyFail: the primary answers 57014 as it does to a cancel, but the mirror will, too.
   */
  failed(digest: ReplyDigest, copyRefused: boolean): void {
    if (digest.cancelled && !copyRefused) this.happened = this.#inCycle = true;
  }

  /**
   * @param blockFailed by ReadyForQuery.
   * @returns whether the cycle was cancelled, and all that it did undone, or was
   *   refused behind such a one: without it the transaction does the same.
   */
  cycleEnded(blockFailed: boolean): boolean {
    const leftOut = !this.#controls &&
      (this.#inCycle || this.#refuses && blockFailed);
    if (this.#inCycle && this.#controls) this.unrepeatable = true;
    this.#refuses = leftOut && blockFailed;
    this.#inCycle = this.#controls = false;
    return leftOut;
  }

  /** The transaction has ended; the next begins. */
  reset(): void {
    this.happened = this.committed = this.unrepeatable = false;
    this.#inCycle = this.#controls = this.#refuses = false;
  }
}
