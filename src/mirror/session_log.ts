import { CYCLE_WORDS } from "../ring/mod.ts";
import type { SessionState } from "../sql/mod.ts";
import { QUERY, SYNC } from "../wire/mod.ts";
import type { Comparison, Transaction } from "./transaction.ts";

/** Bounds of one session's log; beyond them its state can't be rebuilt. */
const MAX_ENTRIES = 2_000;
const MAX_BYTES = 1024 * 1024;

/**
 * The session state that a lane's next connection must have: named statements,
 * SET, PREPARE and the like, in order, each key once.
 */
export class SessionLog {
  readonly #messages = new Map<string, Uint8Array<ArrayBuffer>>();
  #bytes = 0;
  /** Some state can't be rebuilt: a lost connection can't be replaced. */
  lost = false;

  /** Takes what a transaction has changed. */
  add(state: SessionState): void {
    if (state.lost) this.lost = true;
    for (const key of state.closed) this.#remove(key);
    for (const { key, message } of state.repeat) {
      // Removed first: the order is that of the last change.
      this.#remove(key);
      this.#messages.set(key, message);
      this.#bytes += message.length;
    }
    if (this.#messages.size > MAX_ENTRIES || this.#bytes > MAX_BYTES) {
      this.lost = true;
      this.#messages.clear();
      this.#bytes = 0;
    }
  }

  /** A log of its own with the same state. */
  copy(): SessionLog {
    const copy = new SessionLog();
    for (const [key, message] of this.#messages) {
      copy.#messages.set(key, message);
    }
    copy.#bytes = this.#bytes;
    copy.lost = this.lost;
    return copy;
  }

  /** The messages to send to a new connection. */
  get messages(): readonly Uint8Array<ArrayBuffer>[] {
    return [...this.#messages.values()];
  }

  #remove(key: string): void {
    const old = this.#messages.get(key);
    if (old === undefined) return;
    this.#bytes -= old.length;
    this.#messages.delete(key);
  }
}

const NOTHING_COMPARED: Comparison = { mode: "off", bytes: 0 };

/** The transaction that brings one message of session state back. */
export function restoring(message: Uint8Array<ArrayBuffer>): Transaction {
  const bytes = message[0] === QUERY ? message : withSync(message);
  return {
    bytes,
    cycles: new Uint32Array(CYCLE_WORDS).fill(bytes.length, 0, 1),
    statements: new Uint32Array(0),
    size: bytes.length,
    startUs: 0,
    endUs: 0,
    roundTripUs: 0,
    comparison: NOTHING_COMPARED,
  };
}

function withSync(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(message.length + 5);
  bytes.set(message);
  bytes.set([SYNC, 0, 0, 0, 4], message.length);
  return bytes;
}
