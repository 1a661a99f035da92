import {
  type Comparison,
  CYCLE_WORDS,
  type Transaction,
} from "../record/mod.ts";
import { type Repeated, type SessionState, STATEMENT_KEY } from "../sql/mod.ts";
import { CLOSE, isEqual, messageOf, QUERY, SYNC } from "../wire/mod.ts";

/** Bounds of one session's log; beyond them its state can't be rebuilt. */
const MAX_ENTRIES = 2_000;
const MAX_BYTES = 1024 * 1024;
/** Keys that are a statement's text. */
const LIBRARY = /^\s*load\b/i;
const RESET = /^\s*reset\b/i;

/**
 * The session state that a lane's next connection must have: named statements,
 * SET, PREPARE and the like, in order, each key once.
 */
export class SessionLog {
  readonly #entries = new Map<string, Repeated>();
  #bytes = 0;
  /** Some state can't be rebuilt: a lost connection can't be replaced. */
  lost = false;
  /** Something was left in the session that no entry brings back. */
  leavesUnseen = false;
  /** Entries that take a session's lock, which others might take meanwhile. */
  #locks = 0;

  /** A connection that is given up can be made anew as if it had stayed. */
  get canComeBack(): boolean {
    return !this.lost && !this.leavesUnseen && this.#locks === 0;
  }

  /** Takes what a transaction has changed. */
  add(state: SessionState): void {
    if (state.cleared === "all") this.clear();
    else if (state.cleared === "statements") {
      for (const key of [...this.#entries.keys()]) {
        if (key.startsWith(STATEMENT_KEY)) this.#remove(key);
      }
    }
    if (state.lost) this.lost = true;
    for (const key of state.closed) this.#remove(key);
    for (const entry of state.repeat) {
      if (this.#mayComeBack(entry)) this.lost = true;
      // Removed first: the order is that of the last change.
      this.#remove(entry.key);
      this.#entries.set(entry.key, entry);
      this.#bytes += entry.message.length;
      if (ADVISORY_LOCK.test(entry.key)) this.#locks++;
    }
    if (this.#entries.size > MAX_ENTRIES || this.#bytes > MAX_BYTES) {
      this.lost = true;
      this.#entries.clear();
      this.#bytes = this.#locks = 0;
    }
  }

  /** DISCARD ALL: the session is as a new one, with the libraries that it has loaded. */
  clear(): void {
    for (const key of [...this.#entries.keys()]) {
      if (!LIBRARY.test(key)) this.#remove(key);
    }
    this.lost = this.leavesUnseen = false;
  }

  /** A log of its own with the same state. */
  copy(): SessionLog {
    const copy = new SessionLog();
    for (const [key, entry] of this.#entries) copy.#entries.set(key, entry);
    copy.#bytes = this.#bytes;
    copy.#locks = this.#locks;
    copy.leavesUnseen = this.leavesUnseen;
    copy.lost = this.lost;
    return copy;
  }

  /** The messages to send to a new connection. */
  get messages(): readonly Uint8Array<ArrayBuffer>[] {
    return [...this.#entries.values()].map(({ message }) => message);
  }

  /** What `entry` replaces is prepared: bound again it would be in force again, and nobody would know. */
  #mayComeBack({ key, message }: Repeated): boolean {
    if (RESET.test(key)) {
      return this.#entries.values().some(({ prepared }) => prepared);
    }
    const old = this.#entries.get(key);
    return old?.prepared === true && !isEqual(old.message, message);
  }

  #remove(key: string): void {
    const old = this.#entries.get(key);
    if (old === undefined) return;
    this.#bytes -= old.message.length;
    if (ADVISORY_LOCK.test(key)) this.#locks--;
    this.#entries.delete(key);
  }
}

/** Locks count how often they are taken. */
const ADVISORY_LOCK = /pg_(?:try_)?advisory_/i;

/** Whether the connection that has some of `state` already may get all of it. */
export function isRepeatable({ repeat }: SessionState): boolean {
  return !repeat.some(({ key }) => ADVISORY_LOCK.test(key));
}

/**
 * The messages that bring `state` to a connection that may have some of it: a
 * name is closed before it is given.
 */
export function repeatMessages(
  { repeat, closed, cleared }: SessionState,
): Uint8Array<ArrayBuffer>[] {
  return [
    ...(cleared === "nothing" ? [] : [CLEARING[cleared]]),
    ...closed.map((key) => closeMessage(key.slice(STATEMENT_KEY.length))),
    ...repeat.flatMap(({ key, message }) => {
      const name = key.startsWith(STATEMENT_KEY)
        ? key.slice(STATEMENT_KEY.length)
        : undefined;
      return name === undefined ? [message] : [closeMessage(name), message];
    }),
  ];
}

const CLEARING = {
  statements: messageOf(QUERY, "deallocate all\0"),
  all: messageOf(QUERY, "discard all\0"),
};

/** Close (F) of a prepared statement: no error if there is none. */
function closeMessage(name: string): Uint8Array<ArrayBuffer> {
  return messageOf(CLOSE, `S${name}\0`);
}

const NOTHING_COMPARED: Comparison = { mode: "off", bytes: 0 };

/** The transaction that brings one message of session state back. */
export function restoring(message: Uint8Array<ArrayBuffer>): Transaction {
  const bytes = message[0] === QUERY ? message : withSync(message);
  return {
    bytes,
    cycles: new Uint32Array(CYCLE_WORDS).fill(bytes.length, 0, 1),
    statements: new Uint32Array(0),
    answers: new Uint8Array(0),
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
