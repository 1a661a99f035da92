import { type Handler, type Reactor, READ, WRITE } from "./reactor.ts";
import { BROKEN, NOT_NOW, type Transport } from "./transport.ts";

/** Reads of one descriptor per turn, so that one large result starves nobody. */
const READ_BUDGET = 4;

/** What an endpoint tells its owner. */
export interface EndpointOwner {
  /** `length` bytes of the scratch buffer came from `endpoint`. */
  onBytes(endpoint: Endpoint, length: number): void;
  /** The peer has sent its last byte. */
  onEnd(endpoint: Endpoint): void;
  /** The peer takes nothing more; what it has sent before can be read once reading is resumed. */
  onDeaf(endpoint: Endpoint): void;
  /** The socket is dead: nothing can be read, nothing sent. */
  onDead(endpoint: Endpoint): void;
  /** A connect has finished, well or not, or all that was pending is sent. */
  onDrained(endpoint: Endpoint): void;
  /** Our own code has thrown while it handled an endpoint. */
  onFault(): void;
}

/**
 * One socket. What its peer did not take yet lies in `pending`, never more
 * than the owner lets come: while it is there, its source is not read
 * (back-pressure).
 *
 * What an event does, by what the endpoint is doing. "broken": the socket has
 * an error, or both directions are closed.
 *
 * | doing              | readable          | writable      | broken                         |
 * | ------------------ | ----------------- | ------------- | ------------------------------ |
 * | connecting         | –                 | onDrained     | onDrained (the owner asks why) |
 * | reading            | onBytes, onEnd    | sends pending | reads on; onEnd or onDead      |
 * | paused, pending    | –                 | sends pending | onDeaf                         |
 * | paused, at rest    | –                 | –             | failed: onDeaf; else it waits  |
 * | ended              | –                 | sends pending | onDead                         |
 *
 * A socket that is broken and not read tells of it in every turn, so it is
 * detached until something is wanted of it: a read finds the end, a write that
 * nobody takes is onDeaf.
 */
export class Endpoint implements Handler {
  /** Descriptor; -1 once closed. */
  fd: number;
  /** End of stream was read. */
  ended = false;
  /** Nothing more is sent: the peer does not take it. */
  deaf = false;
  readonly #reactor: Reactor;
  readonly #owner: EndpointOwner;
  readonly #scratch: Uint8Array<ArrayBuffer>;
  readonly #transport: Transport;
  #buffer: Uint8Array<ArrayBuffer> | undefined;
  #start = 0;
  #end = 0;
  /** Waiting for a connect to finish. */
  #connecting: boolean;
  #reading: boolean;
  #interest: number;
  #shutWhenDrained = false;
  #shut = false;
  #detached = false;

  /**
   * @param scratch every read goes there first.
   * @param transport on `fd`; the endpoint's from now on.
   * @param connecting the socket is not open yet; not read until {@linkcode Endpoint.resume}.
   */
  constructor(
    reactor: Reactor,
    owner: EndpointOwner,
    scratch: Uint8Array<ArrayBuffer>,
    fd: number,
    transport: Transport,
    connecting: boolean,
  ) {
    this.#reactor = reactor;
    this.#owner = owner;
    this.#scratch = scratch;
    this.#transport = transport;
    this.fd = fd;
    this.#connecting = connecting;
    this.#reading = !connecting;
    this.#interest = connecting ? WRITE : READ;
    reactor.add(fd, this, this.#interest);
    if (!connecting) this.#readWhatIsHeld();
  }

  /**
   * The rule above the fields, for tests.
   *
   * @throws {Error} naming what does not hold.
   */
  check(): void {
    const rules = {
      "0 <= start <= end": 0 <= this.#start && this.#start <= this.#end,
      "end <= buffer": this.#end <= (this.#buffer?.length ?? 0),
      "pending bytes wait for an event": this.pending === 0 || this.fd < 0 ||
        this.#interest !== 0,
      "who is closed holds nothing": this.fd >= 0 || this.#buffer === undefined,
      "who has ended reads no more": !this.ended || !this.#wantsToRead,
    };
    for (const [rule, holds] of Object.entries(rules)) {
      if (!holds) throw new Error(`Endpoint: ${rule}`);
    }
  }

  /** Bytes that the socket has not taken yet. */
  get pending(): number {
    return this.#end - this.#start;
  }

  /** Half-closed by us. */
  get shut(): boolean {
    return this.#shut;
  }

  get encrypted(): boolean {
    return this.#transport.encrypted;
  }

  /** Why it is dead, if the transport knows; else "". */
  get reason(): string {
    return this.#transport.reason;
  }

  /**
   * Sends `bytes[0, length)`; keeps a copy of what the socket does not take.
   *
   * @returns false if something was kept: the source must pause.
   */
  write(bytes: Uint8Array<ArrayBuffer>, length: number): boolean {
    if (this.fd < 0 || this.deaf) return true;
    let sent = 0;
    if (this.#end === 0 && !this.#connecting) {
      sent = Math.max(0, this.#transport.write(bytes, length));
      if (sent === length) return true;
    }
    this.#keep(bytes, sent, length);
    return false;
  }

  #keep(bytes: Uint8Array<ArrayBuffer>, from: number, to: number): void {
    const needed = this.#end + to - from;
    if (this.#buffer === undefined || this.#buffer.length < needed) {
      const grown = new Uint8Array(
        Math.max(needed, 2 * (this.#buffer?.length ?? 0), SMALLEST_BYTES),
      );
      if (this.#buffer !== undefined) {
        grown.set(this.#buffer.subarray(0, this.#end));
      }
      this.#buffer = grown;
    }
    this.#buffer.set(bytes.subarray(from, to), this.#end);
    this.#end = needed;
    this.#update();
  }

  /** Half-closes once everything pending is sent. */
  shutdown(): void {
    if (this.#shut || this.fd < 0) return;
    if (this.pending > 0) {
      this.#shutWhenDrained = true;
      return;
    }
    this.#shut = true;
    this.#transport.shutdownWrite();
  }

  pause(): void {
    this.#reading = false;
    this.#update();
  }

  resume(): void {
    if (this.ended || this.fd < 0) return;
    this.#reading = true;
    this.#update();
    this.#readWhatIsHeld();
  }

  close(): void {
    if (this.fd < 0) return;
    this.#transport.free();
    this.#reactor.close(this.fd);
    this.fd = -1;
    this.#forget();
  }

  onReadable(broken: boolean): void {
    if (this.#transport.writeWantsRead) this.#send();
    if (this.#wantsToRead) this.#read(broken);
  }

  onWritable(): void {
    if (this.#connecting) {
      this.#connecting = false;
      this.#update();
      return this.#owner.onDrained(this);
    }
    if (this.#transport.readWantsWrite && this.#wantsToRead) this.#read(false);
    this.#send();
  }

  onHangup(failed: boolean): void {
    if (this.#connecting) return this.onWritable();
    if (this.ended) return this.#owner.onDead(this);
    // Resumed since this event was collected, or a read that waits to write.
    if (this.#wantsToRead) return this.#read(true);
    this.#detached = true;
    this.#reactor.detach(this.fd);
    if (failed || this.pending > 0) this.#becomeDeaf();
  }

  /** Told of an exception that came out of this handler. */
  fault(): void {
    this.#owner.onFault();
  }

  get #wantsToRead(): boolean {
    return this.#reading && !this.ended && this.fd >= 0 && !this.#connecting;
  }

  #read(broken: boolean): void {
    const transport = this.#transport;
    for (let i = 0; i < READ_BUDGET; i++) {
      const count = transport.read(this.#scratch, this.#scratch.length);
      // TLS says by itself when it is broken; its "not now" may have bytes behind it.
      if (
        count === BROKEN ||
        count === NOT_NOW && broken && !transport.encrypted
      ) return this.#owner.onDead(this);
      if (count === NOT_NOW) break;
      if (count === 0) {
        this.ended = true;
        this.#update();
        return this.#owner.onEnd(this);
      }
      this.#owner.onBytes(this, count);
      if (!this.#wantsToRead) return;
      // A short read has emptied the socket; asking again would cost a call.
      if (count < this.#scratch.length) break;
    }
    // A read changes what is waited for, or leaves bytes behind, on TLS only.
    if (!transport.encrypted) return;
    this.#update();
    this.#readWhatIsHeld();
  }

  /** No event tells of bytes that the transport has taken from the socket already. */
  #readWhatIsHeld(): void {
    if (this.#wantsToRead && this.#transport.holdsBytes) {
      this.#reactor.again(this.fd, this);
    }
  }

  #send(): void {
    const buffer = this.#buffer;
    if (buffer === undefined) return this.#update();
    const sent = this.#transport.write(
      this.#start === 0 ? buffer : buffer.subarray(this.#start),
      this.pending,
    );
    if (sent === BROKEN) return this.#becomeDeaf();
    if (sent > 0) this.#start += sent;
    if (this.#start < this.#end) return this.#update();
    this.#forget();
    this.#update();
    if (this.#shutWhenDrained) this.shutdown();
    this.#owner.onDrained(this);
  }

  #becomeDeaf(): void {
    if (this.deaf) return;
    this.deaf = true;
    this.#forget();
    this.#update();
    this.#owner.onDeaf(this);
  }

  #forget(): void {
    this.#buffer = undefined;
    this.#start = this.#end = 0;
  }

  #update(): void {
    const { readWantsWrite, writeWantsRead } = this.#transport;
    let interest = this.#connecting ? WRITE : 0;
    if (!this.#connecting) {
      if (this.#wantsToRead) interest |= readWantsWrite ? WRITE : READ;
      if (this.pending > 0) interest |= writeWantsRead ? READ : WRITE;
    }
    if (interest === this.#interest || this.fd < 0) return;
    this.#interest = interest;
    if (!this.#detached) this.#reactor.modify(this.fd, interest);
    else if (interest !== 0) {
      this.#detached = false;
      this.#reactor.attach(this.fd, interest);
    }
  }
}

/** The least that is kept room for, in bytes. */
const SMALLEST_BYTES = 4_096;
