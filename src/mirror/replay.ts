import {
  KIND_ERROR,
  type ReplyDigest,
  STATEMENT_KIND,
  STATEMENT_SQLSTATE,
  STATEMENT_WORDS,
} from "../digest/mod.ts";
import {
  CYCLE_BYTES,
  CYCLE_LATENCY,
  CYCLE_START,
  CYCLE_STATEMENTS,
  CYCLE_WORDS,
} from "../ring/mod.ts";
import {
  COPY_BOTH_RESPONSE,
  COPY_DONE,
  COPY_FAIL,
  COPY_IN_RESPONSE,
  Framer,
  IDLE,
  READY_FOR_QUERY,
  sqlstate,
  unpackSqlstate,
} from "../wire/mod.ts";
import { cycleCount, type Transaction } from "./transaction.ts";

/**
 * What follows from an earlier error of the same transaction, which is counted
 * once: everything is refused (25P02), a statement that could not be prepared
 * is not there (26000).
 */
const CASCADE: ReadonlySet<number> = new Set([
  sqlstate("25P02"),
  sqlstate("26000"),
]);

/** What became of the bytes that a reply brought. */
export type Progress =
  /** The cycle goes on. */
  | "waiting"
  /** The cycle is answered, another one follows. */
  | "next"
  /** All cycles are answered. */
  | "done"
  /** The mirror broke the protocol. */
  | "protocol"
  /** The mirror wants copy data that the client's cycle does not hold. */
  | "copy";

/** The replay of one transaction: which cycle is next, and what the mirror has answered so far. */
export class Replay {
  readonly transaction: Transaction;
  /** Statements that failed on the mirror and not on the primary, the cascade behind the first left out. */
  errorsOnMirror = 0;
  /** SQLSTATE of the first of them. */
  firstError: string | undefined;
  /** Sum over the cycles, in microseconds. */
  latencyUs = 0;
  /** Latency of the last cycle. */
  cycleLatencyUs = 0;
  /** The last ReadyForQuery said idle. */
  idle = true;
  readonly #digest: ReplyDigest;
  readonly #framer = new Framer();
  #cycle = 0;
  #offset = 0;
  #statement = 0;
  #sentUs = 0;

  /** @param digest reused from replay to replay; cleared here. */
  constructor(transaction: Transaction, digest: ReplyDigest) {
    this.transaction = transaction;
    this.#digest = digest;
    digest.clear();
  }

  /** Microseconds after the transaction's begin at which the client sent the next cycle. */
  get dueUs(): number {
    return this.#word(CYCLE_START);
  }

  /** What the primary took for the cycle under way, in microseconds. */
  get primaryLatencyUs(): number {
    return this.#word(CYCLE_LATENCY);
  }

  /** The bytes of the next cycle; its clock starts. */
  take(nowUs: number): Uint8Array<ArrayBuffer> {
    this.#sentUs = nowUs;
    const { bytes } = this.transaction;
    const end = this.#offset + this.#word(CYCLE_BYTES);
    return this.#offset === 0 && end === bytes.length
      ? bytes
      : bytes.subarray(this.#offset, end);
  }

  /** Looks at `chunk[0, length)` of the mirror's reply. */
  reply(chunk: Uint8Array, length: number, nowUs: number): Progress {
    const framer = this.#framer;
    const elapsedUs = nowUs - this.#sentUs;
    let progress: Progress = "waiting";
    for (let at = 0; at < length;) {
      // A reply behind the last ReadyForQuery answers nothing we sent.
      if (progress !== "waiting") return "protocol";
      at = framer.step(chunk, at, length);
      if (framer.broken) return "protocol";
      const type = framer.type;
      if (type === READY_FOR_QUERY) {
        if (framer.finished) {
          progress = this.#answered(chunk[at - 1] as number, elapsedUs);
        }
        continue;
      }
      this.#digest.step(framer, chunk, framer.bodyStart, at, elapsedUs);
      if (type === COPY_BOTH_RESPONSE) return "protocol";
      if (type === COPY_IN_RESPONSE && framer.finished && !this.#hasCopyEnd()) {
        return "copy";
      }
    }
    return progress;
  }

  #answered(status: number, elapsedUs: number): Progress {
    this.idle = status === IDLE;
    this.cycleLatencyUs = elapsedUs;
    this.latencyUs += elapsedUs;
    this.#compare();
    this.#offset += this.#word(CYCLE_BYTES);
    this.#statement += this.#word(CYCLE_STATEMENTS);
    this.#cycle++;
    return this.#cycle === cycleCount(this.transaction) ? "done" : "next";
  }

  /** Pairs the cycle's statements by their ordinal. */
  #compare(): void {
    const ours = this.#digest;
    const theirs = this.transaction.statements;
    const expected = this.#word(CYCLE_STATEMENTS);
    for (let i = 0; i < ours.statements; i++) {
      const at = i * STATEMENT_WORDS;
      if (ours.words[at + STATEMENT_KIND] !== KIND_ERROR) continue;
      const primaryAt = (this.#statement + i) * STATEMENT_WORDS;
      if (i < expected && theirs[primaryAt + STATEMENT_KIND] === KIND_ERROR) {
        continue;
      }
      const packed = ours.words[at + STATEMENT_SQLSTATE] as number;
      if (this.errorsOnMirror > 0 && CASCADE.has(packed)) continue;
      const code = unpackSqlstate(packed);
      this.errorsOnMirror++;
      this.firstError ??= code;
    }
    ours.clear();
  }

  #hasCopyEnd(): boolean {
    const { bytes } = this.transaction;
    const end = this.#offset + this.#word(CYCLE_BYTES);
    const framer = new Framer();
    for (let at = this.#offset; at < end;) {
      at = framer.step(bytes, at, end);
      if (framer.type === COPY_DONE || framer.type === COPY_FAIL) return true;
    }
    return false;
  }

  #word(offset: number): number {
    return this.transaction
      .cycles[this.#cycle * CYCLE_WORDS + offset] as number;
  }
}
