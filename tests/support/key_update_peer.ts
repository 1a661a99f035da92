import {
  closeDescriptor,
  openssl,
  type Pointer,
  shutdownWrite,
} from "../../src/io/mod.ts";

const SSL_KEY_UPDATE_NOT_REQUESTED = 0; // <openssl/ssl.h>

/** A client's end of TLS 1.3 that changes its keys at will. */
export class KeyUpdatePeer {
  readonly #ssl = openssl("").ssl;
  readonly #more = Deno.dlopen("libssl.so.3", {
    SSL_key_update: { parameters: ["pointer", "i32"], result: "i32" },
  });
  readonly #fd: number;
  readonly #context: Pointer;
  readonly #connection: Pointer;

  constructor(fd: number) {
    this.#fd = fd;
    this.#context = this.#ssl.SSL_CTX_new(this.#ssl.TLS_client_method());
    this.#connection = this.#ssl.SSL_new(this.#context);
    this.#ssl.SSL_set_fd(this.#connection, fd);
    this.#ssl.SSL_set_connect_state(this.#connection);
  }

  /** Takes a step of the handshake. @returns whether it is done. */
  shake(): boolean {
    return this.#ssl.SSL_do_handshake(this.#connection) === 1;
  }

  /** @returns whether the socket took it. */
  updateKeys(): boolean {
    return this.#more.symbols.SSL_key_update(
          this.#connection,
          SSL_KEY_UPDATE_NOT_REQUESTED,
        ) === 1 && this.shake();
  }

  /** In one record. @returns whether the socket took it. */
  send(bytes: Uint8Array<ArrayBuffer>): boolean {
    return this.#ssl.SSL_write(this.#connection, bytes, bytes.length) ===
      bytes.length;
  }

  /** @returns whether a byte, or the end of stream, was there. */
  receive(): boolean {
    const count = this.#ssl.SSL_read(this.#connection, new Uint8Array(1), 1);
    return count > 0 || this.#ssl.SSL_get_error(this.#connection, count) !== 2;
  }

  /** End of stream, without a close_notify. */
  end(): void {
    shutdownWrite(this.#fd);
  }

  close(): void {
    this.#ssl.SSL_free(this.#connection);
    this.#ssl.SSL_CTX_free(this.#context);
    this.#more.close();
    closeDescriptor(this.#fd);
  }
}
