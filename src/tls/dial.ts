import {
  connect,
  connectError,
  describeError,
  type Handler,
  minRoundTripUs,
  type Reactor,
  READ,
  receive,
  send,
  type SocketAddress,
  socketError,
  WRITE,
} from "../io/mod.ts";
import { SSL_REQUEST } from "../wire/mod.ts";
import type { TlsEdge } from "./edge.ts";
import { MAX_REASON_BYTES, reasonOf, STATUS_OPEN } from "./status.ts";

/** A server that is asked for TLS. */
export interface DialTarget {
  readonly address: SocketAddress;
  /** Its name in the TLS worker's material. */
  readonly server: string;
  /** Go on in clear if it has no TLS. */
  readonly clearAllowed: boolean;
}

export interface DialOwner {
  /** `fd` is open, watched by nobody, and the owner's; `encrypted` tells whether TLS is behind it. */
  onOpen(fd: number, encrypted: boolean): void;
  /** Everything is closed. */
  onFailed(reason: string): void;
}

/**
 * ```
 * connecting  the socket is not open yet
 * asking      SSLRequest is sent, one byte is to come
 * shaking     the TLS worker has the socket; its status is to come
 * done        handed to the owner, or closed
 * ```
 */
type State = "connecting" | "asking" | "shaking" | "done";

const S = 0x53;
const N = 0x4e;

/** Connects to a server and negotiates TLS. The owner sets the time limit: {@linkcode Dial.close}. */
export class Dial implements Handler {
  /** The server's shortest round trip while its socket was ours, in microseconds; 0: unknown. */
  roundTripUs = 0;
  readonly #reactor: Reactor;
  readonly #edge: TlsEdge;
  readonly #target: DialTarget;
  readonly #owner: DialOwner;
  readonly #bytes = new Uint8Array(1 + MAX_REASON_BYTES);
  #length = 0;
  #state: State = "connecting";
  #fd: number;

  /** @throws {Error} if there is no descriptor left. */
  constructor(
    reactor: Reactor,
    edge: TlsEdge,
    target: DialTarget,
    owner: DialOwner,
  ) {
    this.#reactor = reactor;
    this.#edge = edge;
    this.#target = target;
    this.#owner = owner;
    this.#fd = connect(target.address);
    reactor.add(this.#fd, this, WRITE);
  }

  /** Gives up without a word to the owner. */
  close(): void {
    if (this.#state === "done") return;
    this.#state = "done";
    this.#reactor.close(this.#fd);
  }

  /** Told of an exception that came out of this handler. */
  fault(): void {
    this.#fail("internal error");
  }

  onReadable(): void {
    if (this.#state === "asking") this.#onAnswer();
    else this.#onStatus();
  }

  onWritable(): void {
    if (this.#state !== "connecting") return;
    const errno = connectError(this.#fd);
    if (errno !== 0) return this.#fail(describeError(errno));
    if (send(this.#fd, REQUEST, REQUEST.length) !== REQUEST.length) {
      return this.#fail("the server closed the connection");
    }
    this.#state = "asking";
    this.#reactor.modify(this.#fd, READ);
  }

  onHangup(): void {
    const errno = socketError(this.#fd);
    this.#fail(
      errno === 0 ? "the server closed the connection" : describeError(errno),
    );
  }

  #onAnswer(): void {
    const count = receive(this.#fd, this.#bytes, 2);
    if (count < 0) return;
    if (count === 0) return this.#fail("the server closed the connection");
    // Somebody on the way could put them there (the class of CVE-2021-23222).
    if (count > 1) {
      return this.#fail("the server sent bytes in clear before TLS began");
    }
    switch (this.#bytes[0]) {
      case N:
        if (!this.#target.clearAllowed) {
          return this.#fail("the server does not support TLS");
        }
        return this.#open(false);
      case S:
        return this.#shake();
      default:
        // Also an ErrorResponse: nothing says whose words those are.
        return this.#fail("the answer to SSLRequest is neither S nor N");
    }
  }

  #shake(): void {
    const fd = this.#fd;
    this.roundTripUs = minRoundTripUs(fd);
    this.#reactor.release(fd);
    this.#fd = this.#edge.toServer(fd, this.#target.server);
    if (this.#fd < 0) {
      this.#state = "done";
      return this.#owner.onFailed("out of descriptors");
    }
    this.#state = "shaking";
    this.#reactor.add(this.#fd, this, READ);
  }

  /** One byte at a time at first: what is behind an open status is the server's. */
  #onStatus(): void {
    if (this.#length === 0) {
      const count = receive(this.#fd, this.#bytes, 1);
      if (count < 0) return;
      if (count === 0) return this.#fail("the TLS worker gave up");
      if (this.#bytes[0] === STATUS_OPEN) return this.#open(true);
      this.#length = 1;
    }
    const rest = this.#bytes.subarray(this.#length);
    const count = receive(this.#fd, rest, rest.length);
    if (count < 0) return;
    this.#length += count;
    if (count > 0 && this.#length < this.#bytes.length) return;
    this.#fail(reasonOf(this.#bytes.subarray(1, this.#length)));
  }

  #open(encrypted: boolean): void {
    const fd = this.#fd;
    this.#state = "done";
    this.#reactor.release(fd);
    this.#owner.onOpen(fd, encrypted);
  }

  #fail(reason: string): void {
    if (this.#state === "done") return;
    this.close();
    this.#owner.onFailed(reason);
  }
}

/** SSLRequest: its length and its code. */
const REQUEST = new Uint8Array(8);
new DataView(REQUEST.buffer).setInt32(0, 8);
new DataView(REQUEST.buffer).setInt32(4, SSL_REQUEST);
