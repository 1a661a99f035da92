import {
  BROKEN,
  cText,
  NOT_NOW,
  type OpenSsl,
  type Pointer,
  READ,
  shutdownWrite,
  type Transport,
  WRITE,
} from "../io/mod.ts";
import type { TlsContext } from "./context.ts";
import { takeErrors } from "./errors.ts";

const SSL_ERROR_WANT_READ = 2;
const SSL_ERROR_WANT_WRITE = 3;
const SSL_ERROR_ZERO_RETURN = 6;
/** X509 has the details. */
const VERIFY_FAILED = "certificate verify failed";
const PEER_CLOSED = "the peer closed the connection";

/**
 * TLS on a non-blocking socket, which the caller closes. OpenSSL reads `errno`
 * in C, at once: unlike in clear, a dead socket is told from a busy one.
 *
 * What a peer sends is held up to two records (context.ts): who does not read
 * leaves the rest in the kernel, and so the peer waits.
 */
export class TlsTransport implements Transport {
  readonly encrypted = true;
  reason = "";
  readWantsWrite = false;
  writeWantsRead = false;
  readonly #library: OpenSsl;
  readonly #fd: number;
  #ssl: Pointer;
  /** The last read found half a record. SSL_has_pending knows no difference, and a loop that believed it would spin. */
  #drained = false;
  /** The end of stream or the error that reading has met; no event tells of it again. */
  #end: number | undefined;
  #writeBroken = false;

  /** @throws {Error} if OpenSSL has no memory. */
  constructor(library: OpenSsl, context: TlsContext, fd: number) {
    this.#library = library;
    this.#fd = fd;
    this.#ssl = library.ssl.SSL_new(context.pointer);
    if (this.#ssl === null) throw new Error(takeErrors(library));
    library.ssl.SSL_set_fd(this.#ssl, fd);
    context.prepare(this.#ssl);
  }

  /** Goes on with the handshake. @returns 1 when it is done, NOT_NOW, or BROKEN with the reason. */
  shake(): number {
    if (this.#ssl === null) return BROKEN;
    const { ssl, crypto } = this.#library;
    this.readWantsWrite = false;
    const result = ssl.SSL_do_handshake(this.#ssl);
    if (result === 1) return 1;
    switch (ssl.SSL_get_error(this.#ssl, result)) {
      case SSL_ERROR_WANT_READ:
        return NOT_NOW;
      case SSL_ERROR_WANT_WRITE:
        this.readWantsWrite = true;
        return NOT_NOW;
    }
    const error = takeErrors(this.#library) || PEER_CLOSED;
    this.reason = error;
    if (error === VERIFY_FAILED) {
      const why = crypto.X509_verify_cert_error_string(
        ssl.SSL_get_verify_result(this.#ssl),
      );
      this.reason = `the certificate is not accepted: ${cText(why)}`;
    }
    return BROKEN;
  }

  /** What a handshake under way waits for. */
  get interest(): number {
    return this.readWantsWrite ? WRITE : READ;
  }

  /** The peer has agreed on our protocol by ALPN. */
  get hasAlpn(): boolean {
    if (this.#ssl === null) return false;
    const length = new Uint32Array(1);
    this.#library.ssl.SSL_get0_alpn_selected(
      this.#ssl,
      new Uint8Array(8), // the text's address: the length tells enough
      new Uint8Array(length.buffer),
    );
    return length[0] !== 0;
  }

  get holdsBytes(): boolean {
    return !this.#drained && this.#ssl !== null &&
      (this.#end !== undefined ||
        this.#library.ssl.SSL_has_pending(this.#ssl) !== 0);
  }

  /** Records come one by one; together they cost one send on the other side. */
  read(buffer: Uint8Array<ArrayBuffer>, length: number): number {
    if (this.#end !== undefined) {
      this.#drained = true;
      return this.#end;
    }
    let filled = this.#readRecord(buffer, length);
    if (filled <= 0) {
      this.#drained = true;
      return filled;
    }
    while (filled < length && this.holdsBytes) {
      const count = this.#readRecord(buffer.subarray(filled), length - filled);
      if (count <= 0) break;
      filled += count;
    }
    return filled;
  }

  #readRecord(buffer: Uint8Array<ArrayBuffer>, length: number): number {
    if (this.#ssl === null) return BROKEN;
    const { ssl } = this.#library;
    this.readWantsWrite = this.#drained = false;
    const count = ssl.SSL_read(this.#ssl, buffer, length);
    if (count > 0) return count;
    switch (ssl.SSL_get_error(this.#ssl, count)) {
      case SSL_ERROR_WANT_READ:
        this.#drained = true;
        return NOT_NOW;
      case SSL_ERROR_WANT_WRITE:
        this.readWantsWrite = this.#drained = true;
        return NOT_NOW;
      case SSL_ERROR_ZERO_RETURN:
        return this.#end = 0;
    }
    this.reason = takeErrors(this.#library) || PEER_CLOSED;
    return this.#end = BROKEN;
  }

  /** One record at a time, which is what OpenSSL takes. */
  write(bytes: Uint8Array<ArrayBuffer>, length: number): number {
    let sent = this.#writeRecord(bytes, length);
    if (sent <= 0) return sent;
    while (sent < length) {
      const count = this.#writeRecord(bytes.subarray(sent), length - sent);
      if (count <= 0) break;
      sent += count;
    }
    return sent;
  }

  /** Behind a failed write the peer's last words can still be read, as libpq does. */
  #writeRecord(bytes: Uint8Array<ArrayBuffer>, length: number): number {
    if (this.#ssl === null || this.#writeBroken || this.#end === BROKEN) {
      return BROKEN;
    }
    const { ssl } = this.#library;
    this.writeWantsRead = false;
    const count = ssl.SSL_write(this.#ssl, bytes, length);
    if (count > 0) return count;
    switch (ssl.SSL_get_error(this.#ssl, count)) {
      case SSL_ERROR_WANT_READ:
        this.writeWantsRead = true;
        return NOT_NOW;
      case SSL_ERROR_WANT_WRITE:
        return NOT_NOW;
    }
    this.#writeBroken = true;
    this.reason = takeErrors(this.#library) || PEER_CLOSED;
    return BROKEN;
  }

  /** close_notify, then the socket's own half-close: either is an end of stream to the peer. */
  shutdownWrite(): void {
    // Behind an error OpenSSL must not be asked for more (SSL_shutdown(3)).
    if (this.#ssl !== null && this.reason === "") {
      const { ssl } = this.#library;
      if (ssl.SSL_shutdown(this.#ssl) < 0) takeErrors(this.#library);
    }
    shutdownWrite(this.#fd);
  }

  free(): void {
    if (this.#ssl === null) return;
    this.#library.ssl.SSL_free(this.#ssl);
    this.#ssl = null;
  }
}
