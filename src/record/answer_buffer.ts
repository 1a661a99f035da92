import { HEADER_BYTES } from "../wire/mod.ts";
import {
  type Copyable,
  copyBytes,
  viewed,
  ViewedBytes,
} from "./viewed_bytes.ts";

/** A buffer begins with so many bytes, and doubles. */
const FIRST_BYTES = 4096;
/** Bound in bytes of the buffers of this thread that lie ready; the rest go to the garbage collector. */
const MAX_SPARE_BYTES = 4 * 1024 * 1024;

/** Ready for the next transaction, by how often they were doubled. */
const spare: ViewedBytes[][] = [];
let spareBytes = 0;

function take(doublings: number): ViewedBytes {
  const buffer = spare[doublings]?.pop();
  if (buffer === undefined) {
    return new ViewedBytes(new Uint8Array(FIRST_BYTES << doublings));
  }
  spareBytes -= buffer.bytes.length;
  return buffer;
}

function give(buffer: ViewedBytes, doublings: number): void {
  const size = buffer.bytes.length;
  if (spareBytes + size > MAX_SPARE_BYTES) return;
  spareBytes += size;
  while (spare.length <= doublings) spare.push([]);
  spare[doublings]?.push(buffer);
}

const NOTHING = new ViewedBytes(new Uint8Array(0));

/**
 * Messages of a reply as they stood on the wire, until a record takes them.
 * Its writer bounds it; after {@linkcode AnswerBuffer.rest} it holds nothing.
 *
 * ```
 * what it holds: #buffer[0, length - #run), then the run: #chunk[#runStart, #runStart + #run)
 * ```
 *
 * {@linkcode AnswerBuffer.check} holds that. The run is what came last and lies
 * in one piece. Of a short transaction the record takes it from there, without
 * a copy in between. It must be settled before its chunk is written to again.
 */
export class AnswerBuffer {
  /** Bytes of all. */
  length = 0;
  #buffer: ViewedBytes = NOTHING;
  #doublings = 0;
  #chunk: Uint8Array = NOTHING.bytes;
  #runStart = 0;
  #run = 0;

  /** The rule above the class. @throws {Error} where it does not hold. */
  check(): void {
    const settled = this.length - this.#run;
    const holds = this.#run >= 0 && settled >= 0 &&
      settled <= this.#buffer.bytes.length &&
      (this.#run === 0 || this.#runStart + this.#run <= this.#chunk.length);
    if (holds) return;
    throw new Error(
      `AnswerBuffer: ${settled} of ${this.#buffer.bytes.length} bytes are settled, the run is ${this.#run} from ${this.#runStart} of ${this.#chunk.length}`,
    );
  }

  /** Writes a message's header. */
  header(type: number, bodyLength: number): void {
    this.settle();
    const at = this.length;
    this.#makeRoom(at + HEADER_BYTES);
    const { view } = this.#buffer;
    view.setUint8(at, type);
    view.setInt32(at + 1, bodyLength + 4);
    this.length = at + HEADER_BYTES;
  }

  /** Takes `chunk[from, to)`, which stays as it is until {@linkcode AnswerBuffer.settle}. */
  add(chunk: Uint8Array, from: number, to: number): void {
    const goesOn = from === this.#runStart + this.#run && chunk === this.#chunk;
    if (this.#run > 0 && !goesOn) this.settle();
    if (this.#run === 0) {
      this.#chunk = chunk;
      this.#runStart = from;
    }
    this.#run += to - from;
    this.length += to - from;
  }

  /** Copies the run. */
  settle(): void {
    const count = this.#run;
    if (count === 0) return;
    this.#run = 0;
    this.#makeRoom(this.length);
    const at = this.length - count;
    const from = viewed(this.#chunk);
    copyBytes(from, this.#runStart, count, this.#buffer, at);
  }

  /** `length` bytes of all, in one piece. */
  get bytes(): Uint8Array {
    this.settle();
    return this.#buffer.bytes;
  }

  /** Copies all of it. */
  copyTo(to: Copyable, at: number): void {
    const run = this.#run;
    const settled = this.length - run;
    if (settled > 0) copyBytes(this.#buffer, 0, settled, to, at);
    if (run === 0) return;
    const from = viewed(this.#chunk);
    copyBytes(from, this.#runStart, run, to, at + settled);
  }

  /** What it held is not wanted any more. */
  clear(): void {
    this.length = this.#run = 0;
  }

  /** The same, and the memory goes back. */
  rest(): void {
    this.clear();
    if (this.#buffer === NOTHING) return;
    give(this.#buffer, this.#doublings);
    this.#buffer = NOTHING;
  }

  /** Memory that lasts until {@linkcode AnswerBuffer.rest}. */
  get heldBytes(): number {
    return this.#buffer.bytes.length;
  }

  #makeRoom(needed: number): void {
    const old = this.#buffer;
    const size = old.bytes.length;
    if (needed <= size) return;
    const oldDoublings = this.#doublings;
    let doublings = old === NOTHING ? 0 : oldDoublings + 1;
    while ((FIRST_BYTES << doublings) < needed) doublings++;
    this.#buffer = take(doublings);
    copyBytes(old, 0, size, this.#buffer, 0);
    this.#doublings = doublings;
    if (old !== NOTHING) give(old, oldDoublings);
  }
}
