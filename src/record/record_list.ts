import { BOUNDS, listBytes } from "./bounds.ts";

const FULL_WORDS = listBytes(BOUNDS) / 4;
const REST_WORDS = BOUNDS.restBytes / 4;
/** Entries that a new list has room for: what most sessions ever need. */
const FIRST_ENTRIES = 2;

/** Of this thread, ready for the next long transaction; the rest go to the garbage collector. */
const spare: Uint32Array<ArrayBuffer>[] = [];
const MAX_SPARE = 64;

/**
 * Room for a record's cycles or statements while they come in. It grows by
 * doubling up to what a session may keep at rest; beyond that it is lent one
 * of the full size, until {@linkcode RecordList.rest}. So an idle session holds
 * little, and a long transaction need not allocate each time.
 */
export class RecordList {
  words: Uint32Array<ArrayBuffer>;
  #own: Uint32Array<ArrayBuffer>;

  constructor(entryWords: number) {
    this.words = this.#own = new Uint32Array(FIRST_ENTRIES * entryWords);
  }

  /** Of what is used. */
  get heldBytes(): number {
    const lent = this.words === this.#own ? 0 : this.words.byteLength;
    return this.#own.byteLength + lent;
  }

  /**
   * Makes more room; what was written stays.
   *
   * @throws {RangeError} beyond the bound of a record.
   */
  grow(): void {
    const old = this.words;
    if (old.length === FULL_WORDS) {
      throw new RangeError(`A record's list is full: ${FULL_WORDS} words`);
    }
    if (2 * old.length <= REST_WORDS) {
      this.words = this.#own = new Uint32Array(2 * old.length);
    } else this.words = spare.pop() ?? new Uint32Array(FULL_WORDS);
    this.words.set(old);
  }

  /** Nothing in it is wanted any more: what was lent goes back. */
  rest(): void {
    if (this.words === this.#own) return;
    if (spare.length < MAX_SPARE) spare.push(this.words);
    this.words = this.#own;
  }
}
