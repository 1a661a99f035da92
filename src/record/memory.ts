/**
 * The memory of a single-producer single-consumer ring of records.
 *
 * ```
 * control words: 0 head (consumer), 1 tail (producer), 2 consumer sleeps,
 * 3 consumer is gone
 * 0 <= tail - head <= capacity (mod 2^32); both multiples of 8
 * a record: [payload bytes: u32][unused: u32][payload, padded to 8]; it never
 * wraps: WRAP in the length's place sends the consumer to the start
 * ```
 *
 * {@linkcode checkRing} holds this against a ring.
 *
 * @module
 */

export const HEAD = 0;
export const TAIL = 1;
export const SLEEPS = 2;
export const GONE = 3;
const CONTROL_BYTES = 64;
export const RECORD_HEADER_BYTES = 8;
export const WRAP = 0xffff_ffff;

/** What both ends need: goes to the workers by postMessage. */
export interface RingMemory {
  readonly buffer: SharedArrayBuffer;
  /** Bytes for records, a power of two. */
  readonly capacity: number;
}

/** @param capacity bytes, a power of two of at least 4 KiB. */
export function createRing(capacity: number): RingMemory {
  if (capacity < 4096 || (capacity & (capacity - 1)) !== 0) {
    throw new RangeError(
      `Ring capacity must be a power of two of at least 4096, got ${capacity}`,
    );
  }
  return {
    buffer: new SharedArrayBuffer(CONTROL_BYTES + capacity),
    capacity,
  };
}

/** Its consumer has died, and nobody will take its place: the ring is full for ever. */
export function abandonRing(memory: RingMemory): void {
  const { control } = new Views(memory);
  // So a producer need not ask at each record.
  const full = Atomics.load(control, TAIL) - memory.capacity;
  Atomics.store(control, HEAD, full | 0);
  Atomics.store(control, GONE, 1);
}

/**
 * The rule above, while neither end is at work.
 *
 * @returns published records.
 * @throws {Error} where it does not hold.
 */
export function checkRing(memory: RingMemory): number {
  const { control, words } = new Views(memory);
  const { capacity } = memory;
  const head = Atomics.load(control, HEAD) >>> 0;
  const tail = Atomics.load(control, TAIL) >>> 0;
  const fail = (what: string): never => {
    throw new Error(`Ring: ${what}; head ${head}, tail ${tail}`);
  };
  if (head % 8 !== 0 || tail % 8 !== 0) fail("an end is no multiple of 8");
  const used = (tail - head) >>> 0;
  if (used > capacity) fail(`more than ${capacity} bytes are used`);
  let records = 0;
  let seen = 0;
  while (seen < used) {
    const at = (head + seen) & (capacity - 1);
    const length = words[at >> 2] as number;
    if (length === WRAP) {
      seen += capacity - at;
      continue;
    }
    const size = RECORD_HEADER_BYTES + ((length + 7) & ~7);
    if (at + size > capacity) fail(`the record at ${at} wraps`);
    seen += size;
    records++;
  }
  if (seen !== used) fail(`records end at ${(head + seen) >>> 0}`);
  return records;
}

/** The ways to look at the record area; all begin at its first byte. */
export class Views {
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  readonly words: Uint32Array<SharedArrayBuffer>;
  readonly doubles: Float64Array<SharedArrayBuffer>;
  readonly view: DataView<SharedArrayBuffer>;

  constructor(readonly memory: RingMemory) {
    const { buffer, capacity } = memory;
    this.control = new Int32Array(buffer, 0, CONTROL_BYTES / 4);
    this.bytes = new Uint8Array(buffer, CONTROL_BYTES, capacity);
    this.words = new Uint32Array(buffer, CONTROL_BYTES, capacity / 4);
    this.doubles = new Float64Array(buffer, CONTROL_BYTES, capacity / 8);
    this.view = new DataView(buffer, CONTROL_BYTES, capacity);
  }
}
