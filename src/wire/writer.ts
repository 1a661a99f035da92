import { HEADER_BYTES } from "./codes.ts";

const encoder = new TextEncoder();

/** More was written than the writer's bound allows. What was complete before is intact. */
export class WriterFullError extends Error {
  override readonly name = "WriterFullError";
  constructor(readonly maxBytes: number) {
    super(`Message does not fit into ${maxBytes} bytes`);
  }
}

export interface WriterOptions {
  /** Bound in bytes of all messages that wait for {@linkcode Writer.take}. */
  readonly maxBytes: number;
  /** Default 1024. */
  readonly initialBytes?: number;
}

/**
 * Writes messages one behind the other into a buffer that grows up to a bound.
 *
 * ```
 * 0 <= complete <= length <= bytes.length <= maxBytes
 * [0, complete)       whole messages
 * [complete, length)  the message between begin() and end()
 * ```
 *
 * ```ts
 * writer.begin(READY_FOR_QUERY);
 * writer.byte(IDLE);
 * writer.end();
 * ```
 */
export class Writer {
  readonly #maxBytes: number;
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;
  #complete = 0;

  constructor({ maxBytes, initialBytes = 1024 }: WriterOptions) {
    this.#maxBytes = maxBytes;
    this.#bytes = new Uint8Array(Math.min(initialBytes, maxBytes));
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Bytes of whole messages that wait. */
  get length(): number {
    return this.#complete;
  }

  /** Opens a message. A message that is open is dropped. */
  begin(type: number): void {
    this.#length = this.#complete;
    const at = this.#advance(HEADER_BYTES);
    this.#view.setUint8(at, type);
  }

  /** Closes the open message and writes its length. */
  end(): void {
    this.#view.setInt32(this.#complete + 1, this.#length - this.#complete - 1);
    this.#complete = this.#length;
  }

  byte(value: number): void {
    const at = this.#advance(1);
    this.#view.setUint8(at, value);
  }

  int16(value: number): void {
    const at = this.#advance(2);
    this.#view.setInt16(at, value);
  }

  int32(value: number): void {
    const at = this.#advance(4);
    this.#view.setInt32(at, value);
  }

  int64(value: bigint): void {
    const at = this.#advance(8);
    this.#view.setBigInt64(at, value);
  }

  float64(value: number): void {
    const at = this.#advance(8);
    this.#view.setFloat64(at, value);
  }

  bytes(value: Uint8Array): void {
    const at = this.#advance(value.length);
    this.#bytes.set(value, at);
  }

  /** String of the manual. A zero byte inside would end it early, so it is refused. */
  cstring(value: string): void {
    if (value.includes("\0")) {
      throw new RangeError("String of a message must not hold a zero byte");
    }
    this.#text(value);
    this.byte(0);
  }

  /** An int32 length and the text as UTF-8: a column of DataRow in text format. */
  textValue(value: string): void {
    const at = this.#advance(4);
    const start = this.#length;
    this.#text(value);
    this.#view.setInt32(at, this.#length - start);
  }

  /** A whole message that something else encoded. */
  message(encoded: Uint8Array): void {
    this.#length = this.#complete;
    this.bytes(encoded);
    this.#complete = this.#length;
  }

  /** The whole messages, as a view that lives until the next write; the writer is empty then. */
  take(): Uint8Array<ArrayBuffer> {
    const view = this.#bytes.subarray(0, this.#complete);
    this.#length = this.#complete = 0;
    return view;
  }

  #text(value: string): void {
    // At most three bytes for each UTF-16 unit; reserved only where it could matter.
    const worst = 3 * value.length;
    if (this.#length + worst <= this.#bytes.length) {
      const target = this.#bytes.subarray(this.#length);
      this.#length += encoder.encodeInto(value, target).written;
    } else {
      this.bytes(encoder.encode(value));
    }
  }

  /** Makes room, so it may replace the buffer: call it before `#bytes` or `#view` is named. */
  #advance(count: number): number {
    const at = this.#length;
    const needed = at + count;
    if (needed > this.#bytes.length) this.#grow(needed);
    this.#length = needed;
    return at;
  }

  #grow(needed: number): void {
    if (needed > this.#maxBytes) throw new WriterFullError(this.#maxBytes);
    const size = Math.min(
      Math.max(needed, 2 * this.#bytes.length),
      this.#maxBytes,
    );
    const bytes = new Uint8Array(size);
    bytes.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}
