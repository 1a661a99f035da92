import {
  GONE,
  HEAD,
  RECORD_HEADER_BYTES,
  type RingMemory,
  SLEEPS,
  TAIL,
  Views,
  WRAP,
} from "./memory.ts";

/** A record that waits outside of the ring: the ways to look at its payload. */
class Spilled {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly view: DataView;

  constructor(readonly payload: number) {
    const buffer = new ArrayBuffer((payload + 7) & ~7);
    this.bytes = new Uint8Array(buffer);
    this.words = new Uint32Array(buffer, 0, buffer.byteLength / 4);
    this.view = new DataView(buffer);
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
  view: DataView;
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
    this.view = this.#ring.view;
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
    this.view = spilled.view;
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
    this.view = this.#ring.view;
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
