import {
  configureTcp,
  type Handler,
  NOT_NOW,
  peek,
  type Reactor,
  READ,
  receive,
  send,
  SocketTransport,
  type Timer,
  type Transport,
} from "../io/mod.ts";
import type { TlsContexts, TlsTransport } from "../tls/mod.ts";
import { GSSENC_REQUEST, SSL_REQUEST } from "../wire/mod.ts";

/** Length and code of SSLRequest and GSSENCRequest. */
const REQUEST_BYTES = 8;
/** The first byte of TLS: a handshake record (RFC 8446, section 5.1). */
const TLS_HANDSHAKE = 0x16;
/** As PostgreSQL: each kind of encryption is asked for at most once. */
const MAX_REQUESTS = 2;
const S = new Uint8Array([0x53]);
const N = new Uint8Array([0x4e]);

/** How a client's connection goes on. */
export interface Arrived {
  /** Nobody watches it yet. */
  readonly fd: number;
  readonly transport: Transport;
  /** Of the certificate that it was shown; undefined: none, or none that a login can be bound to. */
  readonly certificateHash: Uint8Array | undefined;
  /** What was read already, in clear. */
  readonly head: Uint8Array<ArrayBuffer>;
}

export interface ArrivalOwner {
  onArrived(arrival: Arrival, how: Arrived): void;
  /** The client has gone or was refused; everything is closed. */
  onClosed(arrival: Arrival, reason: string | undefined): void;
}

/**
 * A client's connection up to the moment when it is known whether it uses TLS,
 * and if so, until its handshake is done.
 * Exists only where TLS is configured. It reads no byte beyond an SSLRequest:
 * what comes behind it in clear could be anybody's, and must not be taken for
 * the client's (the class of CVE-2021-23214 and CVE-2021-3935).
 */
export class Arrival implements Handler {
  /** The row in the clients' table. */
  readonly row: number;
  readonly #reactor: Reactor;
  readonly #tls: TlsContexts;
  readonly #owner: ArrivalOwner;
  readonly #timer: Timer;
  readonly #fd: number;
  readonly #head = new Uint8Array(REQUEST_BYTES);
  #length = 0;
  #requests = 0;
  /** While the handshake is under way. */
  #transport: TlsTransport | undefined;
  #certificateHash: Uint8Array | undefined;
  /** It began with TLS, without an SSLRequest: ALPN is a must. */
  #direct = false;
  /** The descriptor is somebody else's, or closed. */
  #gone = false;

  constructor(
    reactor: Reactor,
    tls: TlsContexts,
    fd: number,
    row: number,
    timeoutMs: number,
    owner: ArrivalOwner,
  ) {
    this.#reactor = reactor;
    this.#tls = tls;
    this.#fd = fd;
    this.row = row;
    this.#owner = owner;
    configureTcp(fd);
    reactor.add(fd, this, READ);
    this.#timer = reactor.after(timeoutMs, () => this.close());
  }

  /** Told of an exception that came out of this handler. */
  fault(): void {
    this.close("internal error");
  }

  close(reason?: string): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#reactor.cancel(this.#timer);
    this.#transport?.free();
    this.#reactor.close(this.#fd);
    this.#owner.onClosed(this, reason);
  }

  onReadable(): void {
    if (this.#transport !== undefined) return this.#shake(this.#transport);
    if (this.#length === 0 && this.#requests === 0) {
      const count = peek(this.#fd, this.#head, 1);
      if (count < 0) return;
      if (count > 0 && this.#head[0] === TLS_HANDSHAKE) {
        return this.#encrypt(true);
      }
    }
    const rest = this.#head.subarray(this.#length);
    const count = receive(this.#fd, rest, rest.length);
    if (count < 0) return;
    if (count === 0) return this.close();
    this.#length += count;
    const view = new DataView(this.#head.buffer);
    if (this.#length >= 4 && view.getInt32(0) !== REQUEST_BYTES) {
      return this.#arrive(new SocketTransport(this.#fd));
    }
    if (this.#length < REQUEST_BYTES) return;
    switch (view.getInt32(4)) {
      case SSL_REQUEST:
        return this.#onRequest(() => this.#onSslRequest());
      case GSSENC_REQUEST:
        return this.#onRequest(() => this.#refuseEncryption());
      default:
        this.#arrive(new SocketTransport(this.#fd));
    }
  }

  onWritable(): void {
    if (this.#transport !== undefined) this.#shake(this.#transport);
  }

  onHangup(): void {
    this.close();
  }

  #onRequest(answer: () => void): void {
    if (++this.#requests > MAX_REQUESTS) return this.close();
    answer();
  }

  #onSslRequest(): void {
    if (peek(this.#fd, this.#head, 1) > 0) {
      return this.close("bytes in clear behind the SSLRequest");
    }
    if (!this.#tls.hasClients) return this.#refuseEncryption();
    send(this.#fd, S, 1);
    this.#encrypt(false);
  }

  #refuseEncryption(): void {
    send(this.#fd, N, 1);
    this.#length = 0;
  }

  #encrypt(direct: boolean): void {
    // A reload may have taken it away since the client came.
    if (!this.#tls.hasClients) return this.close("there is no certificate");
    const { transport, certificateHash } = this.#tls.toClient(this.#fd);
    this.#transport = transport;
    this.#certificateHash = certificateHash;
    this.#direct = direct;
    this.#length = 0;
  }

  #shake(transport: TlsTransport): void {
    if (!this.#tls.takeShake()) return; // told again in the next turn
    const result = transport.shake();
    if (result === NOT_NOW) {
      return this.#reactor.modify(this.#fd, transport.interest);
    }
    if (result < 0) return this.close(`TLS handshake: ${transport.reason}`);
    // As PostgreSQL: else a browser could be made to speak to it (RFC 9325, ALPACA).
    if (this.#direct && !transport.hasAlpn) {
      return this.close("direct TLS without ALPN");
    }
    this.#arrive(transport);
  }

  #arrive(transport: Transport): void {
    this.#gone = true;
    this.#reactor.release(this.#fd);
    this.#reactor.cancel(this.#timer);
    this.#owner.onArrived(this, {
      fd: this.#fd,
      transport,
      certificateHash: this.#certificateHash,
      head: this.#head.subarray(0, this.#length),
    });
  }
}
