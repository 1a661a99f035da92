/** Looks that the sender of a type waits for: one that is under way may not see it, one that begins later does. */
const MAX_LOOKS = 2;

/** What waits until types are known, and for how many looks yet. */
interface TypeWaiter {
  readonly areKnown: () => boolean;
  readonly run: () => void;
  looks: number;
}

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
  /** Names of types are asked for, or will be at once. */
  #areTypesAsked = false;
  #typeWaiters: TypeWaiter[] = [];

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
    this.#isAsked = this.#areTypesAsked = true;
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

  /**
   * A type that was just made has an OID of each server's own, which is sent
   * when both have told it: `run` is called once the types are known, and
   * behind two looks whether they are or not. A temporary one never is.
   *
   * @returns false if there is nothing to wait for.
   */
  waitForTypes(areKnown: () => boolean, run: () => void): boolean {
    if (!this.#areTypesAsked || areKnown()) return false;
    this.#typeWaiters.push({ areKnown, run, looks: MAX_LOOKS });
    return true;
  }

  /**
   * Both servers have told of their types, or one of them can't.
   *
   * @param isLast no other look follows at once.
   */
  typesTold(isLast: boolean): void {
    this.#areTypesAsked = !isLast;
    const waiters = this.#typeWaiters;
    const isOver = (waiter: TypeWaiter) =>
      --waiter.looks === 0 || isLast || waiter.areKnown();
    const over = waiters.filter(isOver);
    this.#typeWaiters = waiters.filter((waiter) => !over.includes(waiter));
    for (const { run } of over) run();
  }

  /** It has answered, and nothing was defined meanwhile. */
  answer(): void {
    this.#isAsked = false;
  }
}
