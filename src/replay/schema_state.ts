/**
 * Whether a mirror's catalog holds for the transactions that come in: no
 * definition is on its way to the mirror, and the mirror was asked behind the
 * last one.
 */
export class SchemaState {
  #expected = 0;
  #isAsked = true;
  /** There is no catalog, and the mirror is asked for one. */
  #isAwaited = false;
  #hasCatalog = false;
  #waiting: (() => void)[] = [];

  /** The catalog that was read last holds. */
  get isKnown(): boolean {
    return this.#expected === 0 && !this.#isAsked;
  }

  /** There is a catalog, of now or of before. */
  get hasCatalog(): boolean {
    return this.#hasCatalog;
  }

  /** A transaction was queued that changes definitions. */
  expect(): void {
    this.#expected++;
  }

  /** It is done with. */
  settle(): void {
    this.#expected--;
  }

  /** The mirror has to be asked. */
  ask(): void {
    this.#isAsked = true;
  }

  /** The mirror is being asked. */
  asking(): void {
    this.#isAwaited = !this.#hasCatalog;
  }

  /** There is a catalog now, or the mirror gave none. */
  asked(hasCatalog: boolean): void {
    this.#hasCatalog = hasCatalog;
    this.#isAwaited = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const run of waiting) run();
  }

  /**
   * Without a catalog the mirror would make its own values, and nothing would be
   * known of what may differ: `run` is called once the answer is here.
   *
   * @returns false if there is nothing to wait for.
   */
  wait(run: () => void): boolean {
    if (this.#isAwaited) this.#waiting.push(run);
    return this.#isAwaited;
  }

  /** It has answered, and nothing was defined meanwhile. */
  answer(): void {
    this.#isAsked = false;
  }
}
