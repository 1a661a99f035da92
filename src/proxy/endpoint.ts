import {
  type Handler,
  type Reactor,
  READ,
  receive,
  send,
  shutdownWrite,
  socketError,
  WRITE,
} from "../io/mod.ts";

/** Reads of one descriptor per turn, so that one large result starves nobody. */
const READ_BUDGET = 4;

/** What an endpoint tells its session. */
export interface EndpointOwner {
  /** `length` bytes of the worker's scratch buffer came from `endpoint`. */
  onBytes(endpoint: Endpoint, length: number): void;
  /** The peer has sent its last byte. */
  onEnd(endpoint: Endpoint): void;
  /** The socket is dead. */
  onDead(endpoint: Endpoint): void;
  /** A connect has finished, well or not, or all that was pending is sent. */
  onDrained(endpoint: Endpoint): void;
  /** Our own code has thrown while it handled an endpoint. */
  onFault(): void;
}

/**
 * One socket of a session. What its peer did not take yet lies in `pending`,
 * never more than one read's worth: while it does, the other endpoint is not
 * read (back-pressure).
 *
 * ```
 * 0 <= start <= end; pending bytes are buffer[start, end)
 * pending > 0  =>  the source is paused
 * ```
 */
export class Endpoint implements Handler {
  /** Descriptor; -1 once closed. */
  fd: number;
  /** End of stream was read. */
  ended = false;
  #buffer: Uint8Array<ArrayBuffer> | undefined;
  #start = 0;
  #end = 0;
  #interest: number;
  #shutWhenDrained = false;
  #shut = false;
  #detached = false;
  /** Waiting for a connect to finish. */
  #connecting: boolean;
  readonly #reactor: Reactor;
  readonly #owner: EndpointOwner;
  readonly #scratch: Uint8Array<ArrayBuffer>;

  constructor(
    reactor: Reactor,
    owner: EndpointOwner,
    scratch: Uint8Array<ArrayBuffer>,
    fd: number,
    connecting: boolean,
  ) {
    this.#reactor = reactor;
    this.#owner = owner;
    this.#scratch = scratch;
    this.fd = fd;
    this.#connecting = connecting;
    this.#interest = connecting ? WRITE : READ;
    reactor.add(fd, this, this.#interest);
  }

  /** Bytes that the socket has not taken yet. */
  get pending(): number {
    return this.#end - this.#start;
  }

  /** Half-closed by us. */
  get shut(): boolean {
    return this.#shut;
  }

  /**
   * Sends `bytes[0, length)`; keeps a copy of what the socket does not take.
   *
   * @returns false if something was kept: the source must pause.
   */
  write(bytes: Uint8Array<ArrayBuffer>, length: number): boolean {
    if (this.fd < 0) return true;
    let sent = 0;
    if (this.#end === 0 && !this.#connecting) {
      sent = Math.max(0, send(this.fd, bytes, length));
      if (sent === length) return true;
    }
    const count = length - sent;
    const needed = this.#end + count;
    if (this.#buffer === undefined || this.#buffer.length < needed) {
      const grown = new Uint8Array(Math.max(needed, 4096));
      if (this.#buffer !== undefined) {
        grown.set(this.#buffer.subarray(0, this.#end));
      }
      this.#buffer = grown;
    }
    this.#buffer.set(bytes.subarray(sent, length), this.#end);
    this.#end = needed;
    this.#want(this.#interest | WRITE);
    return false;
  }

  /** Half-closes once everything pending is sent. */
  shutdown(): void {
    if (this.#shut || this.fd < 0) return;
    if (this.pending > 0) {
      this.#shutWhenDrained = true;
      return;
    }
    this.#shut = true;
    shutdownWrite(this.fd);
  }

  pause(): void {
    this.#want(this.#interest & ~READ);
  }

  resume(): void {
    if (!this.ended) this.#want(this.#interest | READ);
  }

  close(): void {
    if (this.fd < 0) return;
    this.#reactor.close(this.fd);
    this.fd = -1;
    this.#buffer = undefined;
    this.#start = this.#end = 0;
  }

  onReadable(): void {
    for (let i = 0; i < READ_BUDGET; i++) {
      const count = receive(this.fd, this.#scratch, this.#scratch.length);
      if (count < 0) return;
      if (count === 0) {
        this.ended = true;
        this.#want(this.#interest & ~READ);
        this.#owner.onEnd(this);
        return;
      }
      this.#owner.onBytes(this, count);
      // A short read has emptied the socket; asking again would cost a call.
      if (
        count < this.#scratch.length || this.fd < 0 ||
        (this.#interest & READ) === 0
      ) return;
    }
  }

  onWritable(): void {
    if (this.#connecting) {
      this.#connecting = false;
      this.#want(this.pending > 0 ? WRITE : 0);
      this.#owner.onDrained(this);
      return;
    }
    const buffer = this.#buffer;
    if (buffer === undefined) return this.#want(this.#interest & ~WRITE);
    const sent = send(
      this.fd,
      this.#start === 0 ? buffer : buffer.subarray(this.#start),
      this.pending,
    );
    if (sent < 0) return;
    this.#start += sent;
    if (this.#start < this.#end) return;
    this.#buffer = undefined;
    this.#start = this.#end = 0;
    this.#want(this.#interest & ~WRITE);
    if (this.#shutWhenDrained) this.shutdown();
    this.#owner.onDrained(this);
  }

  onHangup(): void {
    if (this.ended || this.#connecting || socketError(this.fd) !== 0) {
      this.#owner.onDead(this);
      return;
    }
    // Both directions are closed, but bytes wait to be read when we resume.
    this.#detached = true;
    this.#reactor.detach(this.fd);
  }

  /** Told of an exception that came out of this handler. */
  fault(): void {
    this.#owner.onFault();
  }

  #want(interest: number): void {
    if (interest === this.#interest || this.fd < 0) return;
    this.#interest = interest;
    if (!this.#detached) this.#reactor.modify(this.fd, interest);
    else if ((interest & READ) !== 0) {
      this.#detached = false;
      this.#reactor.attach(this.fd, interest);
    }
  }
}
