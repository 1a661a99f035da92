import {
  encodeErrorResponse,
  HEADER_BYTES,
  MAX_STARTUP_BYTES,
  PROTOCOL_VIOLATION,
  ProtocolError,
  Writer,
} from "../wire/mod.ts";

/** Bound in bytes of one message after login: a query of psql's `\d` has 2 KiB. */
const MAX_MESSAGE_BYTES = 64 * 1024;
/** Bound in bytes of what waits to be sent; a single row must fit. */
const MAX_OUTPUT_BYTES = 1024 * 1024;
const FIRST_BUFFER_BYTES = 1024;
/** Output is sent when it reaches this, and at the latest with ReadyForQuery. */
const FLUSH_BYTES = 32 * 1024;
/** The client is gone, or was too slow to be kept. Nothing is to be said to it. */
export class PeerGoneError extends Error {
  override readonly name = "PeerGoneError";
}

export interface Message {
  readonly type: number;
  /** Lives until the next message is read. */
  readonly body: Uint8Array;
}

/**
 * One client's connection: whole messages in, a bounded {@linkcode Writer} out.
 * It never allocates by an announced length: the input buffer doubles when it
 * is full of bytes that came.
 *
 * ```
 * 0 <= start <= end <= buffer.length
 * [start, end)  received and not read yet
 * ```
 */
export class Peer {
  /** What {@linkcode Peer.flush} sends. */
  readonly out = new Writer({ maxBytes: MAX_OUTPUT_BYTES });
  readonly #conn: Deno.Conn;
  readonly #writeTimeoutMs: number;
  #buffer = new Uint8Array(FIRST_BUFFER_BYTES);
  #start = 0;
  #end = 0;
  #closed = false;

  constructor(conn: Deno.Conn, writeTimeoutMs: number) {
    this.#conn = conn;
    this.#writeTimeoutMs = writeTimeoutMs;
  }

  /** A packet without a type, as before login: what follows its length. `undefined` if there is none, or if it is junk. */
  async startupPacket(): Promise<Uint8Array | undefined> {
    if (!await this.#need(4)) return undefined;
    const length = this.#int32(0);
    if (length < 8 || length > MAX_STARTUP_BYTES) return undefined;
    if (!await this.#need(length)) return undefined;
    return this.#take(4, length);
  }

  /**
   * The next message; `undefined` at the end of the connection.
   *
   * @throws {ProtocolError} for a length that is ill-formed or above the bound
   */
  async message(): Promise<Message | undefined> {
    if (!await this.#need(HEADER_BYTES)) return undefined;
    const length = this.#int32(1);
    if (length < 4 || length > MAX_MESSAGE_BYTES) {
      throw new ProtocolError(
        PROTOCOL_VIOLATION,
        `invalid message length ${length}, must be 4 to ${MAX_MESSAGE_BYTES}`,
      );
    }
    if (!await this.#need(1 + length)) return undefined;
    const type = this.#buffer[this.#start] ?? 0;
    return { type, body: this.#take(HEADER_BYTES, 1 + length) };
  }

  /** Sends what `out` holds. @throws {PeerGoneError} */
  async flush(): Promise<void> {
    if (this.out.length > 0) await this.send(this.out.take());
  }

  /** For use within a reply, so that a long one does not gather in memory. @throws {PeerGoneError} */
  async flushIfLong(): Promise<void> {
    if (this.out.length >= FLUSH_BYTES) await this.flush();
  }

  /** @throws {PeerGoneError} */
  async send(bytes: Uint8Array): Promise<void> {
    const timer = setTimeout(() => this.close(), this.#writeTimeoutMs);
    try {
      for (let at = 0; at < bytes.length;) {
        at += await this.#conn.write(bytes.subarray(at));
      }
    } catch (cause) {
      throw new PeerGoneError("Client connection is closed", { cause });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Tells the client why it has to go, and closes. Never throws. */
  async fatal(sqlstate: string, message: string): Promise<void> {
    try {
      this.out.message(encodeErrorResponse("FATAL", sqlstate, message));
      await this.flush();
    } catch {
      // It went by itself.
    }
    this.close();
  }

  /** Wakes whoever reads or writes. May be called twice. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.#conn.close();
    } catch {
      // Deno closed it before us.
    }
  }

  /** Reads until `count` bytes lie behind `start`; false if the connection ends before. */
  async #need(count: number): Promise<boolean> {
    while (this.#end - this.#start < count) {
      if (this.#start > 0) {
        this.#buffer.copyWithin(0, this.#start, this.#end);
        this.#end -= this.#start;
        this.#start = 0;
      }
      if (this.#end === this.#buffer.length) {
        const larger = new Uint8Array(2 * this.#buffer.length);
        larger.set(this.#buffer);
        this.#buffer = larger;
      }
      let read: number | null;
      try {
        read = await this.#conn.read(this.#buffer.subarray(this.#end));
      } catch {
        return false;
      }
      if (read === null) return false;
      this.#end += read;
    }
    return true;
  }

  #int32(offset: number): number {
    const { buffer, byteOffset } = this.#buffer;
    return new DataView(buffer, byteOffset + this.#start).getInt32(offset);
  }

  /** A view of `[from, to)` behind `start`; moves `start` to its end. */
  #take(from: number, to: number): Uint8Array {
    const view = this.#buffer.subarray(this.#start + from, this.#start + to);
    this.#start += to;
    return view;
  }
}
