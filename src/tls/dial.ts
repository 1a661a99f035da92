import {
  connect,
  connectError,
  describeError,
  type Handler,
  NOT_NOW,
  type Reactor,
  READ,
  receive,
  send,
  type SocketAddress,
  socketError,
  SocketTransport,
  type Transport,
  WRITE,
} from "../io/mod.ts";
import { SSL_REQUEST } from "../wire/mod.ts";
import type { TlsContexts } from "./contexts.ts";
import type { TlsTransport } from "./tls_transport.ts";

/** A server that is asked for TLS. */
export interface DialTarget {
  readonly address: SocketAddress;
  /** Its name in the TLS material. */
  readonly server: string;
  /** Go on in clear if it has no TLS. */
  readonly clearAllowed: boolean;
}

export interface DialOwner {
  /** `fd` is open, watched by nobody, and the owner's, with the transport on it. */
  onOpen(fd: number, transport: Transport): void;
  /** Everything is closed. */
  onFailed(reason: string): void;
}

/**
 * ```
 * connecting  the socket is not open yet
 * asking      SSLRequest is sent, one byte is to come
 * shaking     the handshake is under way
 * done        handed to the owner, or closed
 * ```
 */
type State = "connecting" | "asking" | "shaking" | "done";

const S = 0x53;
const N = 0x4e;
const CLOSED = "the server closed the connection";

/** Connects to a server and negotiates TLS. The owner sets the time limit: {@linkcode Dial.close}. */
export class Dial implements Handler {
  readonly #reactor: Reactor;
  readonly #tls: TlsContexts;
  readonly #target: DialTarget;
  readonly #owner: DialOwner;
  readonly #fd: number;
  readonly #answer = new Uint8Array(2);
  #transport: TlsTransport | undefined;
  #state: State = "connecting";

  /** @throws {Error} if there is no descriptor left. */
  constructor(
    reactor: Reactor,
    tls: TlsContexts,
    target: DialTarget,
    owner: DialOwner,
  ) {
    this.#reactor = reactor;
    this.#tls = tls;
    this.#target = target;
    this.#owner = owner;
    this.#fd = connect(target.address);
    reactor.add(this.#fd, this, WRITE);
  }

  /** Gives up without a word to the owner. */
  close(): void {
    if (this.#state === "done") return;
    this.#state = "done";
    this.#transport?.free();
    this.#reactor.close(this.#fd);
  }

  /** Told of an exception that came out of this handler. */
  fault(): void {
    this.#fail("internal error");
  }

  onReadable(): void {
    if (this.#state === "asking") this.#onAnswer();
    else if (this.#state === "shaking") this.#shake();
  }

  onWritable(): void {
    if (this.#state === "shaking") return this.#shake();
    if (this.#state !== "connecting") return;
    const errno = connectError(this.#fd);
    if (errno !== 0) return this.#fail(describeError(errno));
    if (send(this.#fd, REQUEST, REQUEST.length) !== REQUEST.length) {
      return this.#fail(CLOSED);
    }
    this.#state = "asking";
    this.#reactor.modify(this.#fd, READ);
  }

  onHangup(): void {
    if (this.#state === "connecting") return this.onWritable();
    const errno = socketError(this.#fd);
    this.#fail(errno === 0 ? CLOSED : describeError(errno));
  }

  #onAnswer(): void {
    const count = receive(this.#fd, this.#answer, 2);
    if (count < 0) return;
    if (count === 0) return this.#fail(CLOSED);
    // Somebody on the way could put them there (the class of CVE-2021-23222).
    if (count > 1) {
      return this.#fail("the server sent bytes in clear before TLS began");
    }
    switch (this.#answer[0]) {
      case N:
        if (!this.#target.clearAllowed) {
          return this.#fail("the server does not support TLS");
        }
        return this.#open(new SocketTransport(this.#fd));
      case S:
        return this.#encrypt();
      default:
        // Also an ErrorResponse: nothing says whose words those are.
        return this.#fail("the answer to SSLRequest is neither S nor N");
    }
  }

  #encrypt(): void {
    try {
      this.#transport = this.#tls.toServer(this.#fd, this.#target.server);
    } catch (error) {
      return this.#fail((error as Error).message);
    }
    this.#state = "shaking";
    this.#reactor.modify(this.#fd, WRITE); // ours is the first word
  }

  #shake(): void {
    if (!this.#tls.takeShake()) return; // told again in the next turn
    const transport = this.#transport as TlsTransport; // while shaking
    const result = transport.shake();
    if (result === NOT_NOW) {
      this.#reactor.modify(this.#fd, transport.interest);
    } else if (result < 0) this.#fail(transport.reason);
    else this.#open(transport);
  }

  #open(transport: Transport): void {
    this.#state = "done";
    this.#reactor.release(this.#fd);
    this.#owner.onOpen(this.#fd, transport);
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
