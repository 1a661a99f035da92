import type { Timer } from "./timers.ts";

/** What a descriptor wants to be told. `0` keeps it registered for errors only. */
export const READ = 1;
export const WRITE = 4;

/**
 * One descriptor's owner. The reactor is level-triggered: what was not taken
 * is told again.
 */
export interface Handler {
  /** @param broken the socket has an error, or both directions are closed: what can't be read now never will be. */
  onReadable(broken: boolean): void;
  onWritable(): void;
  /**
   * The socket has an error (`failed`), or both directions are closed, while
   * reading is not wanted. Told in the place of onWritable, whose send() would
   * take the error away.
   */
  onHangup(failed: boolean): void;
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
  /** Calls `handler.onReadable` in the next turn, without an event: bytes wait where epoll does not see them. */
  again(fd: number, handler: Handler): void;
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
  /** Waits up to `maxWaitMs`, handles what there is, and returns. */
  turn(maxWaitMs: number): void;
  /** Takes turns until {@linkcode Reactor.stop}. */
  run(): void;
  stop(): void;
  /** Gives the loop's own descriptor back; {@linkcode Reactor.run} does so at its end. */
  end(): void;
}
