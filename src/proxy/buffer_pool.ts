import { ViewedBytes } from "../record/mod.ts";

/**
 * Buffers in two sizes, handed out while a transaction runs and taken back
 * after it, so that an idle client holds none. At most {@linkcode MAX_SPARE} of
 * each size lie ready; the rest go to the garbage collector.
 */
export class BufferPool {
  readonly smallBytes: number;
  readonly largestBytes: number;
  readonly #small: ViewedBytes[] = [];
  readonly #large: ViewedBytes[] = [];

  constructor(smallBytes: number, largestBytes: number) {
    this.smallBytes = smallBytes;
    this.largestBytes = largestBytes;
  }

  /**
   * A buffer of at least `length` bytes.
   *
   * @throws {RangeError} above `largestBytes`.
   */
  take(length: number): ViewedBytes {
    if (length <= this.smallBytes) {
      return this.#small.pop() ??
        new ViewedBytes(new Uint8Array(this.smallBytes));
    }
    if (length > this.largestBytes) {
      throw new RangeError(
        `Buffer of ${length} bytes asked for, the largest has ${this.largestBytes}`,
      );
    }
    return this.#large.pop() ??
      new ViewedBytes(new Uint8Array(this.largestBytes));
  }

  /** Takes a buffer back. */
  give(buffer: ViewedBytes): void {
    const spare = buffer.bytes.length === this.smallBytes
      ? this.#small
      : this.#large;
    if (spare.length < MAX_SPARE) spare.push(buffer);
  }
}

const MAX_SPARE = 64;
