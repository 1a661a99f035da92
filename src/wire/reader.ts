import { PROTOCOL_VIOLATION, ProtocolError } from "./protocol_error.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * A cursor over one message body. Every read names the field that it wants, so
 * that a short or ill-formed message is refused by name. It never reads past
 * the body and never allocates by an announced length.
 *
 * Views that it returns live as long as the body does.
 *
 * ```ts
 * const reader = new Reader(body, "Execute");
 * const portal = reader.cstring("portal name", 63);
 * const maxRows = reader.int32("row limit");
 * reader.end();
 * ```
 */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** The message's name in the protocol manual, for errors. */
  readonly #message: string;
  /** 0 <= at <= bytes.length */
  #at = 0;

  constructor(bytes: Uint8Array, message: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#message = message;
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  /** An unsigned byte. */
  byte(field: string): number {
    return this.#view.getUint8(this.#advance(1, field));
  }

  /** Int16 of the manual: signed, big-endian. */
  int16(field: string): number {
    return this.#view.getInt16(this.#advance(2, field));
  }

  /** Int32 of the manual: signed, big-endian. */
  int32(field: string): number {
    return this.#view.getInt32(this.#advance(4, field));
  }

  /** A count of things that follow: an int16 that is not negative. */
  count(field: string): number {
    const count = this.int16(field);
    if (count < 0) throw this.#error(field, `is ${count}`);
    return count;
  }

  /** `length` bytes, as a view. */
  bytes(length: number, field: string): Uint8Array {
    if (length < 0) throw this.#error(field, `has a length of ${length}`);
    const at = this.#advance(length, field);
    return this.#bytes.subarray(at, at + length);
  }

  /** String of the manual: UTF-8, closed by a zero byte, which does not count for `maxBytes`. */
  cstring(field: string, maxBytes: number): string {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0) throw this.#error(field, "has no zero byte at its end");
    const length = end - this.#at;
    if (length > maxBytes) {
      throw this.#error(
        field,
        `has ${length} bytes, at most ${maxBytes} are read`,
      );
    }
    const text = this.#text(this.#at, end, field);
    this.#at = end + 1;
    return text;
  }

  /** All that is left, as UTF-8. */
  text(field: string): string {
    const at = this.#at;
    this.#at = this.#bytes.length;
    return this.#text(at, this.#bytes.length, field);
  }

  /** Refuses bytes behind the last field. */
  end(): void {
    if (this.remaining > 0) {
      throw this.#error("end", `is followed by ${this.remaining} bytes`);
    }
  }

  #advance(length: number, field: string): number {
    const at = this.#at;
    if (length > this.remaining) {
      throw this.#error(
        field,
        `needs ${length} bytes, ${this.remaining} are left`,
      );
    }
    this.#at += length;
    return at;
  }

  #text(from: number, to: number, field: string): string {
    try {
      return decoder.decode(this.#bytes.subarray(from, to));
    } catch {
      throw this.#error(field, "is not UTF-8");
    }
  }

  #error(field: string, what: string): ProtocolError {
    return new ProtocolError(
      PROTOCOL_VIOLATION,
      `${this.#message} message: ${field} ${what}`,
    );
  }
}
