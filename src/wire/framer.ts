import { HEADER_BYTES } from "./codes.ts";

/** The length that stands at `at`: signed, as PostgreSQL reads it, so that it is negative beyond 2^31. It counts itself. */
export function lengthAt(chunk: Uint8Array, at: number): number {
  return ((chunk[at] as number) << 24) |
    ((chunk[at + 1] as number) << 16) |
    ((chunk[at + 2] as number) << 8) |
    (chunk[at + 3] as number);
}

/**
 * Finds the messages in a byte stream that comes in arbitrary chunks. It looks
 * at headers only, copies nothing and never believes an announced length with
 * memory: a body is counted down, not collected.
 *
 * Call {@linkcode Framer.step} in a loop over a chunk. Each step takes the
 * bytes of at most one message and leaves in the fields what it took:
 *
 * ```
 * 0 <= headerBytes <= 5, 0 <= remaining
 * headerBytes < 5        the header is not whole yet, remaining = 0
 * headerBytes = 5        type and length are valid, remaining body bytes to come
 * ```
 *
 * Relay, tap and lane all cut with this class, so they cut at the same places.
 */
export class Framer {
  /** Type byte of the current message; valid once `headerBytes` is 5. */
  type = 0;
  /** Length of the current message's body in bytes, without the header. */
  bodyLength = 0;
  /** Bytes of the body that have not come yet. */
  remaining = 0;
  /** True if the last step saw the first byte of the body (or its end, if empty). */
  started = false;
  /** True if the last step saw the end of the message. */
  finished = false;
  /** Where the body bytes of the last step begin in its chunk. */
  bodyStart = 0;
  /** True after a length below 4: nothing that follows can be cut. */
  broken = false;
  #headerBytes = 0;
  #length = 0;

  /** True between two messages. */
  get atBoundary(): boolean {
    return this.#headerBytes === 0;
  }

  /** Begins a new stream. */
  reset(): void {
    this.#headerBytes = this.remaining = 0;
    this.started = this.finished = this.broken = false;
  }

  /** Goes on where `other` stands. */
  follow(other: Framer): void {
    this.type = other.type;
    this.bodyLength = other.bodyLength;
    this.remaining = other.remaining;
    this.started = this.finished = false;
    this.broken = other.broken;
    this.#headerBytes = other.#headerBytes;
    this.#length = other.#length;
  }

  /**
   * Takes bytes of `chunk[from, to)`.
   *
   * @returns where the next step begins; the body bytes taken are `[bodyStart, result)`.
   */
  step(chunk: Uint8Array, from: number, to: number): number {
    this.started = false;
    this.finished = false;
    if (this.broken) return this.bodyStart = to;
    let at = from;
    if (this.#headerBytes !== HEADER_BYTES) {
      if (this.#headerBytes === 0 && to - at >= HEADER_BYTES) {
        this.type = chunk[at] as number;
        this.#length = lengthAt(chunk, at + 1);
        at += HEADER_BYTES;
        this.#headerBytes = HEADER_BYTES;
      } else {
        at = this.#header(chunk, from, to);
        if (this.#headerBytes < HEADER_BYTES) return this.bodyStart = at;
      }
      // The length counts itself.
      if (this.#length < 4) {
        this.broken = true;
        return this.bodyStart = to;
      }
      this.bodyLength = this.remaining = this.#length - 4;
      this.started = true;
    }
    this.bodyStart = at;
    const available = to - at;
    if (available < this.remaining) {
      this.remaining -= available;
      return to;
    }
    at += this.remaining;
    this.remaining = 0;
    this.#headerBytes = 0;
    this.finished = true;
    return at;
  }

  /** Takes what is there of a header that comes in pieces; returns where the body begins, or the bytes end. */
  #header(chunk: Uint8Array, from: number, to: number): number {
    let at = from;
    while (this.#headerBytes < HEADER_BYTES && at < to) {
      const byte = chunk[at++] as number;
      if (this.#headerBytes++ === 0) {
        this.type = byte;
        this.#length = 0;
      } else this.#length = (this.#length << 8) | byte;
    }
    return at;
  }
}
