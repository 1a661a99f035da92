import { monotonicUs } from "./clock.ts";
import * as c from "./libc.ts";
import { type Handler, type Reactor, READ, WRITE } from "./reactor.ts";
import { type Timer, Timers } from "./timers.ts";

// <sys/epoll.h>. READ and WRITE are EPOLLIN and EPOLLOUT themselves.
const EPOLLERR = 8;
const EPOLLHUP = 16;
const EVENTS = 256;
/** The longest sleep that a timer leads to: the largest int. */
const MAX_WAIT_MS = 2_147_483_647;
// struct epoll_event is packed on x86-64 only.
const EVENT_BYTES = Deno.build.arch === "x86_64" ? 12 : 16;
const DATA_OFFSET = EVENT_BYTES - 8;

/** {@linkcode Reactor} on Linux's epoll. */
export class EpollReactor implements Reactor {
  nowUs = 0;
  readonly #epoll: number;
  readonly #handlers: (Handler | undefined)[] = [];
  readonly #timers = new Timers();
  readonly #closing: number[] = [];
  #again: { readonly fd: number; readonly handler: Handler }[] = [];
  readonly #turnBegin: (() => void)[] = [];
  readonly #turnEnd: (() => void)[] = [];
  readonly #control = new DataView(new ArrayBuffer(EVENT_BYTES));
  readonly #controlBytes = new Uint8Array(this.#control.buffer);
  readonly #events = new DataView(new ArrayBuffer(EVENT_BYTES * EVENTS));
  readonly #eventBytes = new Uint8Array(this.#events.buffer);
  #errorHook: (error: unknown, handler: Handler | undefined) => void = () => {};
  #running = false;

  constructor() {
    this.#epoll = c.libc().epoll_create1(c.EPOLL_CLOEXEC);
    if (this.#epoll < 0) throw new Error("Cannot create an epoll descriptor");
    this.nowUs = monotonicUs();
  }

  add(fd: number, handler: Handler, interest: number): void {
    while (this.#handlers.length <= fd) this.#handlers.push(undefined);
    this.#handlers[fd] = handler;
    this.#ctl(c.EPOLL_CTL_ADD, fd, interest);
  }

  modify(fd: number, interest: number): void {
    this.#ctl(c.EPOLL_CTL_MOD, fd, interest);
  }

  detach(fd: number): void {
    this.#ctl(c.EPOLL_CTL_DEL, fd, 0);
  }

  attach(fd: number, interest: number): void {
    this.#ctl(c.EPOLL_CTL_ADD, fd, interest);
  }

  close(fd: number): void {
    if (this.#handlers[fd] === undefined) return;
    this.#handlers[fd] = undefined;
    this.#ctl(c.EPOLL_CTL_DEL, fd, 0);
    this.#closing.push(fd);
  }

  release(fd: number): void {
    this.#handlers[fd] = undefined;
    this.#ctl(c.EPOLL_CTL_DEL, fd, 0);
  }

  again(fd: number, handler: Handler): void {
    this.#again.push({ fd, handler });
  }

  after(ms: number, callback: () => void): Timer {
    return this.#timers.add(monotonicUs() + ms * 1000, callback);
  }

  cancel(timer: Timer | undefined): void {
    this.#timers.cancel(timer);
  }

  get nextTimerUs(): number {
    return this.#timers.nextUs;
  }

  onTurnBegin(callback: () => void): void {
    this.#turnBegin.push(callback);
  }

  onTurnEnd(callback: () => void): void {
    this.#turnEnd.push(callback);
  }

  onError(
    callback: (error: unknown, handler: Handler | undefined) => void,
  ): void {
    this.#errorHook = callback;
  }

  stop(): void {
    this.#running = false;
  }

  end(): void {
    c.libc().close(this.#epoll);
  }

  run(): void {
    this.#running = true;
    while (this.#running) this.turn(Infinity);
    this.end();
  }

  turn(maxWaitMs: number): void {
    const { epoll_wait, close } = c.libc();
    const nextUs = this.#timers.nextUs;
    const waitMs = this.#again.length > 0
      ? 0
      : nextUs === Infinity
      ? maxWaitMs
      : Math.min(maxWaitMs, Math.ceil((nextUs - monotonicUs()) / 1e3));
    const count = epoll_wait(
      this.#epoll,
      this.#eventBytes,
      EVENTS,
      waitLimit(waitMs),
    );
    this.nowUs = monotonicUs();
    for (const callback of this.#turnBegin) this.#guarded(callback);
    for (let i = 0; i < count; i++) {
      const at = i * EVENT_BYTES;
      this.#dispatch(
        this.#events.getInt32(at + DATA_OFFSET, true),
        this.#events.getUint32(at, true),
      );
    }
    if (this.#again.length > 0) this.#goOn();
    if (nextUs <= this.nowUs) this.#fire();
    for (const callback of this.#turnEnd) this.#guarded(callback);
    while (this.#closing.length > 0) close(this.#closing.pop() as number);
  }

  /** Those that ask again are for the next turn. */
  #goOn(): void {
    const now = this.#again;
    this.#again = [];
    for (const { fd, handler } of now) {
      if (this.#handlers[fd] === handler) this.#dispatch(fd, READ);
    }
  }

  #dispatch(fd: number, events: number): void {
    const handler = this.#handlers[fd];
    if (handler === undefined) return; // closed earlier in this turn
    const broken = (events & (EPOLLERR | EPOLLHUP)) !== 0;
    try {
      if ((events & READ) !== 0) handler.onReadable(broken);
      else if (broken) return handler.onHangup((events & EPOLLERR) !== 0);
      if ((events & WRITE) !== 0 && this.#handlers[fd] === handler) {
        handler.onWritable();
      }
    } catch (error) {
      this.#errorHook(error, handler);
    }
  }

  /** Apart from the hooks: V8 calls one callee at one place directly, and of two it looks up each. */
  #fire(): void {
    try {
      this.#timers.fire(this.nowUs);
    } catch (error) {
      this.#errorHook(error, undefined);
    }
  }

  #guarded(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.#errorHook(error, undefined);
    }
  }

  #ctl(operation: number, fd: number, interest: number): void {
    this.#control.setUint32(0, interest, true);
    this.#control.setInt32(DATA_OFFSET, fd, true);
    c.libc().epoll_ctl(this.#epoll, operation, fd, this.#controlBytes);
  }
}

/**
 * The argument `timeout` of epoll_wait(2). Without a limit the kernel arms no
 * timer at each sleep (bench/README.md).
 */
function waitLimit(ms: number): number {
  return ms === Infinity ? -1 : Math.min(Math.max(0, ms), MAX_WAIT_MS);
}
