import { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { closeDescriptor, isHungUp } from "../io/mod.ts";
import { ALPN, type TlsContexts } from "./contexts.ts";
import type { Handover } from "./edge.ts";
import { failedStatus, STATUS_OPEN } from "./status.ts";

/** Looks at a half-closed connection without progress, one a second, before it is given up. */
const MAX_STALLED = 30;

/** What a connection tells the worker. */
export interface TlsConnectionOwner {
  /** The handshake failed; no secret is in the reason. */
  onFailed(role: Handover["role"], reason: string): void;
  /** One side will send no more; call {@linkcode TlsConnection.look} now and then. */
  onHalfClosed(connection: TlsConnection): void;
  onClosed(connection: TlsConnection): void;
}

/**
 * One TLS connection: the handshake, then a pump. An end of stream is passed on
 * in its own direction, an error ends both, and what one side does not take is
 * not read from the other.
 */
export class TlsConnection {
  readonly #owner: TlsConnectionOwner;
  readonly #handover: Handover;
  readonly #raw: Socket;
  readonly #plain: Socket;
  readonly #tls: TLSSocket;
  /** Goes into the plaintext before anything else. */
  readonly #opening: Uint8Array<ArrayBuffer>;
  #open = false;
  #stalled = 0;
  #sent = 0;

  /** Takes both descriptors, also if it throws. */
  constructor(
    handover: Handover,
    contexts: TlsContexts,
    owner: TlsConnectionOwner,
  ) {
    this.#handover = handover;
    this.#owner = owner;
    this.#opening = handover.role === "server" ? contexts.opening : OPEN;
    this.#raw = adopt(handover.fd, [handover.plainFd]);
    try {
      this.#plain = adopt(handover.plainFd, []);
    } catch (error) {
      this.#raw.destroy();
      throw error;
    }
    for (const socket of [this.#raw, this.#plain]) {
      socket.on("error", () => this.#destroy());
    }
    this.#raw.setNoDelay(true);
    try {
      this.#tls = handover.role === "server"
        ? contexts.toClient(this.#raw)
        : contexts.toServer(this.#raw, handover.server);
    } catch (error) {
      this.#raw.destroy();
      this.#fail((error as Error).message);
      throw error;
    }
    const established = handover.role === "server" ? "secure" : "secureConnect";
    this.#tls.on(established, () => this.#onEstablished());
    this.#tls.on("error", (error) => {
      if (!this.#open) this.#fail(error.message);
      this.#destroy();
    });
    this.#tls.on("end", () => this.#onTlsEnded());
    this.#tls.on("close", () => this.#onTlsClosed());
    this.#plain.on("close", () => this.#onPlainClosed());
    // Until then nobody has anything to say but that he has gone.
    this.#plain.on("end", () => this.#onPlainEnded());
    this.#plain.on("data", this.#ignore);
  }

  /** Finds out whether anybody is left behind a side that has ended. */
  look(): void {
    // A reset that comes behind the last byte: nobody reads that socket any more.
    if (this.#tls.readableEnded && isHungUp(this.#handover.fd)) {
      return this.#destroy();
    }
    if (!isHungUp(this.#handover.plainFd)) return;
    // The last bytes may still be on their way to a slow peer.
    this.#stalled = this.#tls.bytesWritten === this.#sent
      ? this.#stalled + 1
      : 0;
    this.#sent = this.#tls.bytesWritten;
    if (this.#tls.writableFinished || this.#stalled > MAX_STALLED) {
      this.#destroy();
    }
  }

  readonly #ignore = (): void => {};

  #onEstablished(): void {
    if (this.#handover.role === "server" && this.#handover.direct) {
      // As PostgreSQL: else a browser could be made to speak to it (RFC 9325, ALPACA).
      if (this.#tls.alpnProtocol !== ALPN) {
        this.#fail("direct TLS without ALPN");
        return this.#destroy();
      }
    }
    this.#open = true;
    this.#plain.write(this.#opening);
    this.#plain.off("data", this.#ignore);
    this.#plain.pipe(this.#tls);
    this.#tls.pipe(this.#plain);
  }

  #fail(reason: string): void {
    const { role } = this.#handover;
    this.#owner.onFailed(role, reason);
    if (role === "client") this.#plain.end(failedStatus(reason));
    else this.#plain.destroy();
  }

  /** An end of stream, or a reset: before the handshake is done that is all that tells of either. */
  #onTlsEnded(): void {
    if (this.#open) this.#owner.onHalfClosed(this);
    else this.#tls.destroy();
  }

  #onPlainEnded(): void {
    if (this.#open) this.#owner.onHalfClosed(this);
    else this.#destroy();
  }

  #onTlsClosed(): void {
    if (!this.#open) {
      // Before any reason was known: the peer has gone.
      if (!this.#plain.writableEnded && !this.#plain.destroyed) {
        this.#fail("the peer closed the connection");
      }
    } else if (!this.#tls.readableEnded) this.#plain.destroy();
    this.#raw.destroy();
  }

  #onPlainClosed(): void {
    if (!this.#plain.readableEnded || this.#tls.readableEnded) {
      // After an error, or when nothing is left to be received.
      if (!this.#tls.writableEnded) this.#tls.destroy();
    }
    this.#owner.onClosed(this);
  }

  #destroy(): void {
    this.#tls?.destroy();
    this.#raw.destroy();
    // A failed status is on its way to its reader, who closes then.
    if (this.#open || this.#handover.role === "server") this.#plain.destroy();
    else this.#plain.end();
  }
}

/** A descriptor as a socket of this thread's event loop. @throws {Error} having closed `fd` and `others`. */
function adopt(fd: number, others: readonly number[]): Socket {
  try {
    return new Socket({ fd, allowHalfOpen: true });
  } catch (error) {
    for (const each of [fd, ...others]) closeDescriptor(each);
    throw error;
  }
}

const OPEN = new Uint8Array([STATUS_OPEN]);
