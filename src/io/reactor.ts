import type { Timer } from "./timers.ts";

/** What a descriptor wants to be told. `0` keeps it registered for errors only. */
export const READ = 1;
export const WRITE = 4;

/**
 * One descriptor's owner. The reactor is level-triggered: what was not taken
 * is told again. A dead socket is told as readable (its read returns 0) or, if
 * reading is not wanted, as {@linkcode Handler.onHangup}.
 */
export interface Handler {
  onReadable(): void;
  onWritable(): void;
  /** Both directions are closed, or the socket has an error, while nobody reads it. */
  onHangup(): void;
}

/**
 * A single thread's event loop: descriptors, timers, wake-ups. It blocks, so
 * no promise runs in the Worker that is inside {@linkcode Reactor.run}.
 */
export interface Reactor {
  /** Microseconds of the monotonic clock, read once per turn. */
  readonly nowUs: number;
  add(fd: number, handler: Handler, interest: number): void;
  modify(fd: number, interest: number): void;
  /** Stops watching `fd` until {@linkcode Reactor.attach}: for a hung-up socket that nobody reads now, which a level-triggered loop would tell of for ever. */
  detach(fd: number): void;
  attach(fd: number, interest: number): void;
  /** Stops watching `fd` and closes it at the end of the turn, so that its number is not reused within it. */
  close(fd: number): void;
  /** Stops watching `fd` and leaves it open: another thread takes it over. Only from its own handler, so that no event of this turn is left. */
  release(fd: number): void;
  after(ms: number, callback: () => void): Timer;
  cancel(timer: Timer | undefined): void;
  /** When the next timer is due, in microseconds of the monotonic clock; Infinity without one. */
  readonly nextTimerUs: number;
  /** Runs `callback` at the begin of each turn, before handlers and timers. */
  onTurnBegin(callback: () => void): void;
  /** Runs `callback` at the end of each turn, before the loop sleeps. */
  onTurnEnd(callback: () => void): void;
  /** Told of what a handler threw; the loop goes on. */
  onError(
    callback: (error: unknown, handler: Handler | undefined) => void,
  ): void;
  /** Runs until {@linkcode Reactor.stop}. */
  run(): void;
  stop(): void;
}
