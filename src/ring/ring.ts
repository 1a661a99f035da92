/**
 * A single-producer single-consumer ring of records in shared memory.
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

const HEAD = 0;
const TAIL = 1;
const SLEEPS = 2;
const GONE = 3;
const CONTROL_BYTES = 64;
const RECORD_HEADER_BYTES = 8;
const WRAP = 0xffff_ffff;

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

/** The three ways to look at the record area; all begin at its first byte. */
class Views {
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  readonly words: Uint32Array<SharedArrayBuffer>;
  readonly doubles: Float64Array<SharedArrayBuffer>;

  constructor(readonly memory: RingMemory) {
    const { buffer, capacity } = memory;
    this.control = new Int32Array(buffer, 0, CONTROL_BYTES / 4);
    this.bytes = new Uint8Array(buffer, CONTROL_BYTES, capacity);
    this.words = new Uint32Array(buffer, CONTROL_BYTES, capacity / 4);
    this.doubles = new Float64Array(buffer, CONTROL_BYTES, capacity / 8);
  }
}

/** A record that waits outside of the ring: the three ways to look at its payload. */
class Spilled {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly doubles: Float64Array;

  constructor(readonly payload: number) {
    const buffer = new ArrayBuffer((payload + 7) & ~7);
    this.bytes = new Uint8Array(buffer);
    this.words = new Uint32Array(buffer, 0, buffer.byteLength / 4);
    this.doubles = new Float64Array(buffer);
  }
}

/** What a spilled record takes from the bound: its payload, and about what its four objects weigh. */
function spillCost(payload: number): number {
  return payload + 512;
}

/**
 * The writing end. It never waits: records that the ring has no room for lie
 * in this thread's own memory, up to a bound, until {@linkcode
 * RingProducer.flush} finds room; a consumer that is out of step for a moment
 * loses nothing.
 */
export class RingProducer {
  /** The memory that the last {@linkcode RingProducer.reserve} gave room in. */
  bytes: Uint8Array;
  words: Uint32Array;
  doubles: Float64Array;
  /** Largest payload in bytes that {@linkcode RingProducer.reserve} can ever give. */
  readonly maxPayload: number;
  readonly #ring: Views;
  readonly #capacity: number;
  #tail: number;
  #reserved = 0;
  /** Oldest first; the first `#flushed` of them are gone, and let go of at once: they are no longer in the bound. */
  #spilled: (Spilled | undefined)[] = [];
  #flushed = 0;
  #spillLeft: number;
  #spilledBytes = 0;
  /** Reserved outside of the ring, not committed: the next reservation abandons it. */
  #open: Spilled | undefined;

  /** @param spillBytes bound of what waits outside of the ring, in bytes. */
  constructor(memory: RingMemory, spillBytes = 0) {
    this.#ring = new Views(memory);
    this.bytes = this.#ring.bytes;
    this.words = this.#ring.words;
    this.doubles = this.#ring.doubles;
    this.#capacity = memory.capacity;
    this.#spillLeft = spillBytes;
    this.#tail = Atomics.load(this.#ring.control, TAIL) >>> 0;
    this.maxPayload = memory.capacity / 2 - RECORD_HEADER_BYTES;
  }

  /** Moves the bound of what waits outside of the ring, by bytes up or down. */
  changeBound(bytes: number): void {
    this.#spillLeft += bytes;
  }

  /** Records that wait outside of the ring. */
  get waiting(): number {
    return this.#spilled.length - this.#flushed;
  }

  /** What they take of the bound. */
  get waitingBytes(): number {
    return this.#spilledBytes;
  }

  /** The consumer has died: nothing is taken any more, and nothing need be told. */
  get isAbandoned(): boolean {
    return Atomics.load(this.#ring.control, GONE) === 1;
  }

  /**
   * Room for `payload` bytes. A reservation before it that was not committed,
   * because something threw in between, is abandoned.
   *
   * @returns the byte offset of the payload in `bytes` (a multiple of 8), or -1 if there is none.
   */
  reserve(payload: number): number {
    if (this.#open !== undefined) this.#useRing();
    if (payload > this.maxPayload) return -1;
    if (this.#spilled.length > 0) this.flush();
    if (this.#spilled.length === 0) {
      const at = this.#reserveInRing(payload);
      if (at >= 0) return at;
    }
    return this.#reserveOutside(payload);
  }

  #reserveOutside(payload: number): number {
    if (spillCost(payload) > this.#spillLeft || this.isAbandoned) return -1;
    const spilled = new Spilled(payload);
    this.#open = spilled;
    this.bytes = spilled.bytes;
    this.words = spilled.words;
    this.doubles = spilled.doubles;
    return 0;
  }

  #reserveInRing(payload: number): number {
    const words = this.#ring.words;
    const size = RECORD_HEADER_BYTES + ((payload + 7) & ~7);
    const head = Atomics.load(this.#ring.control, HEAD) >>> 0;
    let used = (this.#tail - head) >>> 0;
    let at = this.#tail & (this.#capacity - 1);
    const toEnd = this.#capacity - at;
    if (toEnd < size) {
      if (used + toEnd + size > this.#capacity) return -1;
      words[at >> 2] = WRAP;
      this.#tail = (this.#tail + toEnd) >>> 0;
      used += toEnd;
      at = 0;
    }
    if (used + size > this.#capacity) return -1;
    words[at >> 2] = payload;
    this.#reserved = size;
    return at + RECORD_HEADER_BYTES;
  }

  /** Publishes the record of the last {@linkcode RingProducer.reserve}. */
  commit(): void {
    if (this.#open === undefined) return this.#publish();
    this.#spilled.push(this.#open);
    this.#spend(spillCost(this.#open.payload));
    this.#useRing();
  }

  /** Moves into the ring what has room there by now. */
  flush(): void {
    this.#useRing();
    if (this.isAbandoned) return this.#letGo();
    const { bytes } = this.#ring;
    while (this.#flushed < this.#spilled.length) {
      const { payload, bytes: from } = this.#spilled[this.#flushed] as Spilled; // not flushed
      const at = this.#reserveInRing(payload);
      if (at < 0) break;
      bytes.set(from.subarray(0, payload), at);
      this.#publish();
      this.#spilled[this.#flushed++] = undefined;
      this.#spend(-spillCost(payload));
    }
    // Amortised: what is gone never outweighs what waits.
    if (this.#flushed * 2 > this.#spilled.length) {
      this.#spilled = this.#spilled.slice(this.#flushed);
      this.#flushed = 0;
    }
  }

  #spend(bytes: number): void {
    this.#spillLeft -= bytes;
    this.#spilledBytes += bytes;
  }

  #letGo(): void {
    this.#spilled = [];
    this.#flushed = 0;
    this.#spend(-this.#spilledBytes);
  }

  #useRing(): void {
    if (this.#open === undefined) return;
    this.#open = undefined;
    this.bytes = this.#ring.bytes;
    this.words = this.#ring.words;
    this.doubles = this.#ring.doubles;
  }

  #publish(): void {
    this.#tail = (this.#tail + this.#reserved) >>> 0;
    this.#reserved = 0;
    Atomics.store(this.#ring.control, TAIL, this.#tail | 0);
  }

  /** True if the consumer sleeps and must be woken; takes the flag, so one wake-up is enough. */
  takeSleeping(): boolean {
    return Atomics.load(this.#ring.control, SLEEPS) === 1 &&
      Atomics.exchange(this.#ring.control, SLEEPS, 0) === 1;
  }
}

/** The reading end. */
export class RingConsumer {
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  readonly words: Uint32Array<SharedArrayBuffer>;
  readonly doubles: Float64Array<SharedArrayBuffer>;
  /** Payload bytes of the record that {@linkcode RingConsumer.next} found. */
  length = 0;
  readonly #control: Int32Array<SharedArrayBuffer>;
  readonly #capacity: number;
  #head: number;
  #size = 0;

  constructor(memory: RingMemory) {
    const views = new Views(memory);
    this.bytes = views.bytes;
    this.words = views.words;
    this.doubles = views.doubles;
    this.#control = views.control;
    this.#capacity = memory.capacity;
    this.#head = Atomics.load(views.control, HEAD) >>> 0;
  }

  /** The byte offset of the next record's payload, or -1. It stays valid until {@linkcode RingConsumer.release}. */
  next(): number {
    const tail = Atomics.load(this.#control, TAIL) >>> 0;
    if (tail === this.#head) return -1;
    let at = this.#head & (this.#capacity - 1);
    if (this.words[at >> 2] === WRAP) {
      this.#head = (this.#head + this.#capacity - at) >>> 0;
      at = 0;
    }
    this.length = this.words[at >> 2] as number;
    this.#size = RECORD_HEADER_BYTES + ((this.length + 7) & ~7);
    return at + RECORD_HEADER_BYTES;
  }

  /** Gives the bytes of the current record back to the producer. */
  release(): void {
    this.#head = (this.#head + this.#size) >>> 0;
    Atomics.store(this.#control, HEAD, this.#head | 0);
  }

  /** Says whether the consumer is about to sleep. After `true`, look at {@linkcode RingConsumer.isEmpty} once more. */
  setSleeping(sleeps: boolean): void {
    Atomics.store(this.#control, SLEEPS, sleeps ? 1 : 0);
  }

  get isEmpty(): boolean {
    return (Atomics.load(this.#control, TAIL) >>> 0) === this.#head;
  }
}
