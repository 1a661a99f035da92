/**
 * How the main thread commands a worker that blocks in its event loop: words
 * in shared memory, and a wake-up. The worker answers by postMessage, which
 * works from inside a blocking loop; receiving does not. Settings travel as the
 * bytes that postMessage would have made of them.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { deserialize, serialize } from "node:v8";
import { signalWake } from "../io/mod.ts";
import type {
  ChanceColumn,
  Exclusion,
  StatementChanges,
} from "../stats/mod.ts";

/** Commands; a later one replaces an earlier one that was not read yet, so each includes those before it. */
export const Command = { none: 0, drain: 1, stop: 2 } as const;

// Words of a mailbox.
const COMMAND = 0;
/** Goes up by two with each settings; odd while they are written. */
const SEQUENCE = 1;
const LENGTH = 2;
/** Bound of one worker's settings in bytes: thousands of databases. */
const MAX_SETTINGS_BYTES = 64 * 1024 * 1024;

/** Goes to the worker by postMessage. */
export interface Mailbox {
  readonly buffer: SharedArrayBuffer;
  /** Grows with what it has to hold. */
  readonly settings: SharedArrayBuffer;
  /** The eventfd that the worker's reactor watches. */
  readonly wake: number;
}

export function createMailbox(wake: number): Mailbox {
  return {
    buffer: new SharedArrayBuffer(12),
    settings: new SharedArrayBuffer(0, { maxByteLength: MAX_SETTINGS_BYTES }),
    wake,
  };
}

/** Main thread: gives a command and wakes the worker. */
export function post(mailbox: Mailbox, command: number): void {
  Atomics.store(new Int32Array(mailbox.buffer), COMMAND, command);
  signalWake(mailbox.wake);
}

/** Worker: the command in force. */
export function readCommand(mailbox: Mailbox): number {
  return Atomics.load(new Int32Array(mailbox.buffer), COMMAND);
}

/**
 * Main thread: gives new settings and wakes the worker, which answers with
 * their sequence number.
 *
 * @throws {RangeError} if they are larger than a mailbox.
 */
export function postSettings(mailbox: Mailbox, settings: unknown): number {
  const bytes = serialize(settings);
  if (bytes.length > MAX_SETTINGS_BYTES) {
    throw new RangeError(`Settings of ${bytes.length} bytes are too large`);
  }
  if (mailbox.settings.byteLength < bytes.length) {
    mailbox.settings.grow(bytes.length);
  }
  const words = new Int32Array(mailbox.buffer);
  Atomics.add(words, SEQUENCE, 1);
  new Uint8Array(mailbox.settings).set(bytes);
  words[LENGTH] = bytes.length;
  const sequence = Atomics.add(words, SEQUENCE, 1) + 1;
  signalWake(mailbox.wake);
  return sequence;
}

/** Worker: the settings that have come since `seen`, the sequence number of the last ones taken. */
export function readSettings<T>(
  mailbox: Mailbox,
  seen: number,
): { readonly sequence: number; readonly settings: T } | undefined {
  const words = new Int32Array(mailbox.buffer);
  const sequence = Atomics.load(words, SEQUENCE);
  if (sequence === seen || sequence % 2 === 1) return undefined;
  const length = Math.min(words[LENGTH] as number, mailbox.settings.byteLength);
  const bytes = new Uint8Array(mailbox.settings, 0, length).slice();
  // Written over meanwhile: a wake-up follows.
  if (Atomics.load(words, SEQUENCE) !== sequence) return undefined;
  return { sequence, settings: deserialize(Buffer.from(bytes)) as T };
}

/** What a mirror says of itself. */
export interface MirrorFacts {
  /** As the server says it, e.g. "18.4". */
  readonly version: string;
  /** It replays another server's write-ahead log: nobody can write to it. */
  readonly inRecovery: boolean;
  /** Subscriptions through which it receives changes by logical replication. */
  readonly subscriptions: number;
}

/** What a worker tells the main thread. */
export type WorkerMessage =
  | { readonly type: "ready" }
  /** Told to drain, it has nothing left to do. */
  | { readonly type: "drained" }
  /** Told to stop, it has said all that it had to say. */
  | { readonly type: "stopped" }
  | {
    readonly type: "log";
    readonly level: "debug" | "info" | "warn" | "error";
    readonly message: string;
    readonly properties: Readonly<Record<string, unknown>>;
  }
  /** A primary's version, when it is first heard or has changed. */
  | {
    readonly type: "version";
    readonly database: string;
    readonly version: string;
  }
  /** Once for each pair of databases, when the mirror has been asked. */
  | {
    readonly type: "facts";
    readonly database: string;
    readonly mirror: string;
    readonly facts: MirrorFacts;
  }
  | {
    readonly type: "statements";
    readonly changes: StatementChanges;
  }
  /** Those that have changed. */
  | {
    readonly type: "chance columns";
    readonly columns: readonly ChanceColumn[];
  }
  /** Those of mirrors with new ones. */
  | {
    readonly type: "exclusions";
    readonly exclusions: readonly Exclusion[];
  }
  /** Another window has begun in the mirror worker: what its stripe had counted until then. */
  | {
    readonly type: "window";
    readonly window: number;
    readonly cells: Float64Array;
  }
  /** The settings of this sequence number are in force in the worker. */
  | { readonly type: "settings"; readonly sequence: number }
  /** A server could not be connected to: its name may have another address by now. */
  | { readonly type: "unreachable" }
  | { readonly type: "failed"; readonly message: string };
