import { Episode } from "../listen/mod.ts";
import {
  accept,
  describeAddress,
  type Handler,
  type Reactor,
  READ,
} from "../io/mod.ts";

/** Connections accepted in one turn. */
const ACCEPT_BUDGET = 64;
/**
 * How long a listener rests when there is a connection that can't be accepted,
 * for want of descriptors: a level-triggered loop would tell of it for ever.
 * PostgreSQL's postmaster sleeps as long.
 */
const REST_MS = 100;

/** The same of a socket that several workers accept from: mostly another one was quicker. */
const SHARED_REST_MS = 2;

/** What an acceptor tells its worker. */
export interface AcceptorOwner {
  /** A client has come from `host`:`port`. */
  onClient(fd: number, host: string, port: number): void;
  /** Clients wait, and can't be accepted; once in an {@linkcode Episode}, in which some may be. */
  onRefused(): void;
}

/** Accepts the clients of one listening socket. */
export class Acceptor implements Handler {
  readonly #reactor: Reactor;
  readonly #listener: number;
  readonly #owner: AcceptorOwner;
  readonly #shared: boolean;
  readonly #accept: typeof accept;
  readonly #peer = new Uint8Array(128);
  readonly #refusals = new Episode();
  #closed = false;

  constructor(
    reactor: Reactor,
    listener: number,
    owner: AcceptorOwner,
    acceptNext = accept,
    options: { readonly shared: boolean } = { shared: false },
  ) {
    this.#shared = options.shared;
    this.#reactor = reactor;
    this.#listener = listener;
    this.#owner = owner;
    this.#accept = acceptNext;
    reactor.add(listener, this, READ);
  }

  onReadable(): void {
    if (this.acceptAll() > 0) return;
    // The kernel says that somebody waits, or that another worker was quicker.
    const nowMs = this.#reactor.nowUs / 1e3;
    if (!this.#shared && this.#refusals.shows(nowMs)) this.#owner.onRefused();
    this.#reactor.modify(this.#listener, 0);

    this.#reactor.after(this.#shared ? SHARED_REST_MS : REST_MS, () => {
      if (!this.#closed) this.#reactor.modify(this.#listener, READ);
    });
  }

  onWritable(): void {}
  onHangup(): void {}

  /** Accepts who waits, up to a turn's worth. @returns how many. */
  acceptAll(): number {
    let count = 0;
    for (; count < ACCEPT_BUDGET; count++) {
      const fd = this.#accept(this.#listener, this.#peer);
      if (fd < 0) break;
      const { host, port } = describeAddress(this.#peer);
      this.#owner.onClient(fd, host, port);
    }
    return count;
  }

  /** Closes the listening socket, or leaves a shared one to the others. */
  close(): void {
    this.#closed = true;
    if (this.#shared) this.#reactor.detach(this.#listener);
    else this.#reactor.close(this.#listener);
  }
}
