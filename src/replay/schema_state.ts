/**
 * Whether a mirror's catalog holds for the transactions that come in: no
 * definition is on its way to the mirror, and the mirror was asked behind the
 * last one.
 */
export class SchemaState {
  #expected = 0;
  #isAsked = true;

  /** The catalog that was read last holds. */
  get isKnown(): boolean {
    return this.#expected === 0 && !this.#isAsked;
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

  /** It has answered, and nothing was defined meanwhile. */
  answer(): void {
    this.#isAsked = false;
  }
}
