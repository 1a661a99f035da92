/**
 * How the main thread commands a worker that blocks in its event loop: one
 * word in shared memory and a wake-up. The worker answers by postMessage,
 * which works from inside a blocking loop; receiving does not.
 *
 * @module
 */

import { signalWake } from "../io/mod.ts";
import type { StatementSummary } from "../stats/mod.ts";

/** Commands; a later one replaces an earlier one that was not read yet, so each includes those before it. */
export const Command = { none: 0, drain: 1, stop: 2 } as const;

/** Goes to the worker by postMessage. */
export interface Mailbox {
  readonly buffer: SharedArrayBuffer;
  /** The eventfd that the worker's reactor watches. */
  readonly wake: number;
}

export function createMailbox(wake: number): Mailbox {
  return { buffer: new SharedArrayBuffer(8), wake };
}

/** Main thread: gives a command and wakes the worker. */
export function post(mailbox: Mailbox, command: number): void {
  Atomics.store(new Int32Array(mailbox.buffer), 0, command);
  signalWake(mailbox.wake);
}

/** Worker: the command in force. */
export function readCommand(mailbox: Mailbox): number {
  return Atomics.load(new Int32Array(mailbox.buffer), 0);
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
    readonly summaries: readonly StatementSummary[];
  }
  | { readonly type: "failed"; readonly message: string };
