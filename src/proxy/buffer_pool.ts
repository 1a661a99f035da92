/**
 * Buffers in two sizes, handed out while a transaction runs and taken back
 * after it, so that an idle client holds none. At most {@linkcode MAX_SPARE} of
 * each size lie ready; the rest go to the garbage collector.
 *
 * A third kind, of any size, takes what a ring that is full for a moment does
 * not: all of them together have at most `overflowBytes`.
 */
export class BufferPool {
  readonly smallBytes: number;
  readonly largestBytes: number;
  readonly #small: Uint8Array<ArrayBuffer>[] = [];
  readonly #large: Uint8Array<ArrayBuffer>[] = [];

  #overflowLeft: number;

  constructor(smallBytes: number, largestBytes: number, overflowBytes: number) {
    this.smallBytes = smallBytes;
    this.largestBytes = largestBytes;
    this.#overflowLeft = overflowBytes;
  }

  /**
   * A buffer of at least `length` bytes.
   *
   * @throws {RangeError} above `largestBytes`.
   */
  take(length: number): Uint8Array<ArrayBuffer> {
    if (length <= this.smallBytes) {
      return this.#small.pop() ?? new Uint8Array(this.smallBytes);
    }
    if (length > this.largestBytes) {
      throw new RangeError(
        `Buffer of ${length} bytes asked for, the largest has ${this.largestBytes}`,
      );
    }
    return this.#large.pop() ?? new Uint8Array(this.largestBytes);
  }

  /** A buffer beyond the largest; undefined if the bound is reached. */
  takeOverflow(length: number): Uint8Array<ArrayBuffer> | undefined {
    if (length > this.#overflowLeft) return undefined;
    this.#overflowLeft -= length;
    return new Uint8Array(length);
  }

  /** Takes a buffer back. */
  give(buffer: Uint8Array<ArrayBuffer>): void {
    if (buffer.length > this.largestBytes) {
      this.#overflowLeft += buffer.length;
      return;
    }
    const spare = buffer.length === this.smallBytes ? this.#small : this.#large;
    if (spare.length < MAX_SPARE) spare.push(buffer);
  }
}

const MAX_SPARE = 64;
