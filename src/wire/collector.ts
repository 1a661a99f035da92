/**
 * Holds one message body together when it comes in pieces. Only the short
 * messages that we open go through it; what exceeds the bound is cut off, and
 * {@linkcode Collector.truncated} says so.
 */
export class Collector {
  /** Bound in bytes of a collected body; an ErrorResponse beyond it keeps its first fields. */
  static readonly MAX_BYTES = 16_384;

  length = 0;
  truncated = false;
  bytes: Uint8Array = NOTHING;
  #buffer: Uint8Array | undefined;

  /** Memory that lasts until {@linkcode Collector.rest}. */
  get heldBytes(): number {
    return this.#buffer?.length ?? 0;
  }

  /** What was collected is not wanted any more: an idle session must not keep it. */
  rest(): void {
    if (this.#buffer === undefined) return;
    this.#buffer = undefined;
    this.bytes = NOTHING;
    this.length = 0;
  }

  /** Takes the body bytes of one step. A body that lies whole in its chunk is not copied. */
  take(
    chunk: Uint8Array,
    from: number,
    to: number,
    started: boolean,
    finished: boolean,
  ): void {
    if (started) {
      this.length = 0;
      this.truncated = false;
      if (finished) {
        // Cut off as in pieces: how it came must not matter.
        this.length = Math.min(to - from, Collector.MAX_BYTES);
        this.truncated = this.length < to - from;
        this.bytes = chunk.subarray(from, from + this.length);
        return;
      }
    }
    this.#buffer ??= new Uint8Array(Collector.MAX_BYTES);
    const room = Collector.MAX_BYTES - this.length;
    const count = Math.min(to - from, room);
    this.#buffer.set(chunk.subarray(from, from + count), this.length);
    this.length += count;
    if (count < to - from) this.truncated = true;
    if (finished) this.bytes = this.#buffer.subarray(0, this.length);
  }
}

const NOTHING = new Uint8Array(0);
