/** A CopyDone or CopyFail; what follows in this order ends a cycle. */
export const COPY_DONE_ENTRY = 0;
export const COPY_FAIL_ENTRY = 1;
/** A Query or FunctionCall. */
export const QUERY_ENTRY = 2;
export const SYNC_ENTRY = 3;

const WORDS = 4;
const KIND = 0;
const END = 1;
const TIME = 2;
const BEFORE = 3;
/** Room at rest: what most clients ever have under way. */
const AT_REST = 8;

/**
 * What a client has sent and {@linkcode Cycles} has not seen answered, the
 * oldest first: a circle of four numbers for each entry. Arrays that grow and
 * shrink would be made anew for every transaction.
 */
export class CycleEntries {
  length = 0;
  /** Those that end a cycle. */
  cycles = 0;
  #words = new Float64Array(WORDS * AT_REST);
  /** Index of the oldest entry's first word. */
  #head = 0;
  /** Place of the oldest that ends a cycle, behind all if there is none: it is asked for at each message. */
  firstCycle = 0;

  kind(i: number): number {
    return this.#words[this.#at(i) + KIND] as number;
  }

  /** Position behind it in the client's stream. */
  end(i: number): number {
    return this.#words[this.#at(i) + END] as number;
  }

  /** When its last byte was relayed, in microseconds. */
  timeUs(i: number): number {
    return this.#words[this.#at(i) + TIME] as number;
  }

  /** Messages of the extended protocol between the cycle before and this entry. */
  before(i: number): number {
    return this.#words[this.#at(i) + BEFORE] as number;
  }

  /** Place of the oldest Sync, likewise. */
  firstSync(): number {
    let i = 0;
    while (i < this.length && this.kind(i) !== SYNC_ENTRY) i++;
    return i;
  }

  push(kind: number, end: number, timeUs: number, before: number): void {
    this.#makeRoom();
    if (kind < QUERY_ENTRY && this.cycles === 0) this.firstCycle++;
    this.#set(this.length++, kind, end, timeUs, before);
  }

  /** Puts one in front of the oldest. */
  unshift(kind: number, end: number, timeUs: number, before: number): void {
    this.#makeRoom();
    this.#head = this.#at(this.#words.length / WORDS - 1);
    this.length++;
    this.firstCycle = kind < QUERY_ENTRY ? this.firstCycle + 1 : 0;
    this.#set(0, kind, end, timeUs, before);
  }

  /** Drops the `count` oldest. */
  drop(count: number): void {
    const first = this.firstCycle;
    for (let i = first; i < count; i++) {
      if (this.kind(i) >= QUERY_ENTRY) this.cycles--;
    }
    this.#head = this.#at(count);
    this.length -= count;
    if (count <= first) this.firstCycle = first - count;
    else this.#find();
    const atRest = WORDS * AT_REST;
    if (this.length === 0 && this.#words.length > atRest) this.#resize(atRest);
  }

  /**
   * Adds to what comes before the entries up to the oldest that ends a cycle.
   *
   * @returns false if there is none.
   */
  carry(count: number): boolean {
    const first = this.firstCycle;
    const isThere = first < this.length;
    for (let i = 0; i < (isThere ? first + 1 : first); i++) {
      this.#words[this.#at(i) + BEFORE] = this.before(i) + count;
    }
    return isThere;
  }

  #find(): void {
    let i = this.cycles === 0 ? this.length : 0;
    while (i < this.length && this.kind(i) < QUERY_ENTRY) i++;
    this.firstCycle = i;
  }

  #at(i: number): number {
    // A power of two: `%` would be a division.
    return (this.#head + i * WORDS) & (this.#words.length - 1);
  }

  #set(
    i: number,
    kind: number,
    end: number,
    timeUs: number,
    before: number,
  ): void {
    const at = this.#at(i);
    this.#words[at + KIND] = kind;
    this.#words[at + END] = end;
    this.#words[at + TIME] = timeUs;
    this.#words[at + BEFORE] = before;
    if (kind >= QUERY_ENTRY) this.cycles++;
  }

  #makeRoom(): void {
    const size = this.#words.length;
    if (this.length * WORDS === size) this.#resize(2 * size);
  }

  #resize(size: number): void {
    const old = this.#words;
    const used = this.length * WORDS;
    this.#words = new Float64Array(size);
    for (let i = 0; i < used; i++) {
      this.#words[i] = old[(this.#head + i) & (old.length - 1)] as number;
    }
    this.#head = 0;
  }
}
