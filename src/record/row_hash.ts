/**
 * Hashes of rows that a record has no room for: one that knows their order and one that does not. A row is
 * hashed in two 32-bit lanes (plain numbers: no BigInt, no allocation; about
 * 430 MB/s), and bytes beyond the bound are not looked at. The bound cuts
 * between rows, so that two servers that send equal rows stop at the same one.
 */
export class RowHash {
  /** Rows covered by the hashes. */
  hashedRows = 0;
  orderedA = 0;
  orderedB = 0;
  unorderedA = 0;
  unorderedB = 0;
  #maxBytes: number;
  /** Bytes hashed, those of a row under way included. */
  #bytes = 0;
  /** The bound is reached: no further row is hashed. */
  #full: boolean;
  #a = SEED_A;
  #b = SEED_B;

  /** @param maxBytes rows that end within so many bytes are hashed; 0: none. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#full = maxBytes === 0;
  }

  /** Another bound, for the rows to come; called between replies. */
  set maxBytes(bytes: number) {
    this.#maxBytes = bytes;
    this.reset();
  }

  /** No further row is hashed. */
  get full(): boolean {
    return this.#full;
  }

  reset(): void {
    this.hashedRows = this.#bytes = 0;
    this.orderedA =
      this.orderedB =
      this.unorderedA =
      this.unorderedB =
        0;
    this.#a = SEED_A;
    this.#b = SEED_B;
    this.#full = this.#maxBytes === 0;
  }

  /** Takes a piece of a row, `chunk[from, to)`. */
  add(chunk: Uint8Array, from: number, to: number): void {
    if (this.#full) return;
    this.#bytes += to - from;
    if (this.#bytes > this.#maxBytes) {
      this.#full = true;
      return;
    }
    let a = this.#a;
    let b = this.#b;
    for (let i = from; i < to; i++) {
      const byte = chunk[i] as number;
      a = Math.imul(a ^ byte, 0x01000193);
      b = Math.imul(b + byte, 0x85ebca6b) ^ (b >>> 15);
    }
    this.#a = a;
    this.#b = b;
  }

  /** The row, of `bytes` bytes in all, is over. */
  end(bytes: number): void {
    if (this.#full) return;
    // A good last mix: sums of weak hashes would meet too often.
    const a = mix(this.#a ^ bytes);
    const b = mix(this.#b + bytes);
    this.orderedA = Math.imul(this.orderedA, 31) + a | 0;
    this.orderedB = Math.imul(this.orderedB, 0x9e3779b1) + b | 0;
    this.unorderedA = this.unorderedA + a | 0;
    this.unorderedB = this.unorderedB + b | 0;
    this.hashedRows++;
    this.#a = SEED_A;
    this.#b = SEED_B;
  }
}

const SEED_A = 0x811c9dc5 | 0;
const SEED_B = 0x2545f491;

/** The finaliser of MurmurHash3. */
function mix(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
