/** A buffer begins with so many bytes, and doubles. */
const FIRST_BYTES = 4096;
/** Bound in bytes of the buffers of this thread that lie ready; the rest go to the garbage collector. */
const MAX_SPARE_BYTES = 4 * 1024 * 1024;

/** Ready for the next transaction, by how often they were doubled. */
const spare: Uint8Array<ArrayBuffer>[][] = [];
let spareBytes = 0;

function take(doublings: number): Uint8Array<ArrayBuffer> {
  const buffer = spare[doublings]?.pop();
  if (buffer === undefined) return new Uint8Array(FIRST_BYTES << doublings);
  spareBytes -= buffer.length;
  return buffer;
}

function give(buffer: Uint8Array<ArrayBuffer>, doublings: number): void {
  if (spareBytes + buffer.length > MAX_SPARE_BYTES) return;
  spareBytes += buffer.length;
  while (spare.length <= doublings) spare.push([]);
  spare[doublings]?.push(buffer);
}

/** A loop is cheaper up to here: a longer copy is worth the object of a view. */
const LOOP_BYTES = 256;
const NOTHING = new Uint8Array(0);

/**
 * Messages of a reply as they stood on the wire, until a record takes them.
 * Its writer bounds it; after {@linkcode AnswerBuffer.rest} it holds nothing.
 */
export class AnswerBuffer {
  bytes: Uint8Array<ArrayBuffer> = NOTHING;
  length = 0;
  #doublings = 0;

  /** Writes a message's header. */
  header(type: number, bodyLength: number): void {
    if (this.length + 5 > this.bytes.length) this.#grow(5);
    const { bytes, length: at } = this;
    const length = bodyLength + 4;
    bytes[at] = type;
    bytes[at + 1] = length >>> 24;
    bytes[at + 2] = length >>> 16;
    bytes[at + 3] = length >>> 8;
    bytes[at + 4] = length;
    this.length = at + 5;
  }

  /** Copies `chunk[from, to)`. */
  add(chunk: Uint8Array, from: number, to: number): void {
    const count = to - from;
    if (this.length + count > this.bytes.length) this.#grow(count);
    const { bytes } = this;
    let at = this.length;
    this.length = at + count;
    if (count > LOOP_BYTES) return bytes.set(chunk.subarray(from, to), at);
    for (let i = from; i < to; i++) bytes[at++] = chunk[i] as number;
  }

  /** What it held is not wanted any more, and the memory goes back. */
  rest(): void {
    this.length = 0;
    if (this.bytes === NOTHING) return;
    give(this.bytes, this.#doublings);
    this.bytes = NOTHING;
  }

  #grow(count: number): void {
    const old = this.bytes;
    const oldDoublings = this.#doublings;
    const needed = this.length + count;
    let doublings = old === NOTHING ? 0 : oldDoublings + 1;
    while ((FIRST_BYTES << doublings) < needed) doublings++;
    const bytes = take(doublings);
    for (let i = 0; i < this.length; i++) bytes[i] = old[i] as number;
    this.bytes = bytes;
    this.#doublings = doublings;
    if (old !== NOTHING) give(old, oldDoublings);
  }
}
