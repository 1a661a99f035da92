/** What one mirror's connections are held to. */
export interface ConnectionBounds {
  /** So many at once; 0: any number. */
  readonly maxConnections: number;
  /** One that has rested for so long is given up; Infinity: none is. */
  readonly idleTimeoutMs: number;
}

/** A lane as its mirror's connections know it. */
export interface ConnectionHolder {
  /** It rests, and others need its connection, or it has rested for long: it is made anew at the next need. */
  giveUp(): void;
  /** There may be a connection for it: it asks again. */
  connectionFree(): void;
}

/**
 * How many connections the lanes of one mirror have. Those that rest are given
 * up after a while, and at once, the longest at rest first, when another lane
 * needs one and there are as many as there may be. Who finds none at rest waits;
 * those first whom others wait for. All that are connected may do that, so that
 * none is given up: then one of these goes beyond. One at rest that can't be made
 * anew is not counted: others would wait for it for ever.
 */
export class MirrorConnections {
  readonly #settings: () => ConnectionBounds;
  readonly #holders = new Set<ConnectionHolder>();
  /** Since when they rest, in microseconds of the monotonic clock: the longest first. While anybody waits there are none. */
  readonly #resting = new Map<ConnectionHolder, number>();
  readonly #waiting = new Set<ConnectionHolder>();
  /** Those of them whom others wait for. */
  readonly #wanted = new Set<ConnectionHolder>();
  /** One was taken since the last look. */
  #moves = false;
  #isWaking = false;
  /** It may take one beyond. */
  #beyond: ConnectionHolder | undefined;

  constructor(
    settings: () => ConnectionBounds,
  ) {
    this.#settings = settings;
  }

  /**
   * Takes one.
   *
   * @param isWanted others wait for what it has to replay.
   * @returns false: it hears of {@linkcode ConnectionHolder.connectionFree}.
   */
  take(holder: ConnectionHolder, isWanted: boolean): boolean {
    if (!this.#hasRoom && holder !== this.#beyond) {
      const [resting] = this.#resting.keys();
      if (resting === undefined) {
        this.#waiting.add(holder);
        if (isWanted) this.#wanted.add(holder);
        return false;
      }
      this.#giveUp(resting);
    }
    this.#forget(holder);
    this.#holders.add(holder);
    this.#moves = true;
    return true;
  }

  /** It has nothing to replay, and may be given up. */
  rest(holder: ConnectionHolder, nowUs: number): void {
    this.#resting.set(holder, nowUs);
    const { maxConnections: most } = this.#settings();
    const isBeyond = most > 0 && this.#holders.size > most;
    if (isBeyond || this.#waiting.size > 0) this.#giveUp(holder);
  }

  /** It has nothing to replay, and can't be made anew. */
  stay(holder: ConnectionHolder): void {
    if (this.#holders.delete(holder)) this.#wake();
  }

  /** It has something to replay. */
  work(holder: ConnectionHolder): void {
    this.#resting.delete(holder);
    this.#holders.add(holder);
  }

  /** It has no connection any more, and waits for none. */
  free(holder: ConnectionHolder): void {
    this.#resting.delete(holder);
    this.#forget(holder);
    if (this.#holders.delete(holder)) this.#wake();
  }

  /** Gives up those that have rested for long, and lets who waits go on if there may be more of them now, or nothing has moved since the last look. */
  look(nowUs: number): void {
    const { idleTimeoutMs } = this.#settings();
    for (const [holder, sinceUs] of this.#resting) {
      if (nowUs - sinceUs < idleTimeoutMs * 1e3) break;
      this.#giveUp(holder);
    }
    const hasMoved = this.#moves;
    this.#wake();
    const [wanted] = this.#wanted;
    if (wanted !== undefined && !hasMoved && !this.#hasRoom) {
      this.#beyond = wanted;
      this.#tell(wanted);
      this.#beyond = undefined;
    }
    this.#moves = false;
  }

  get #hasRoom(): boolean {
    const { maxConnections } = this.#settings();
    return maxConnections === 0 || this.#holders.size < maxConnections;
  }

  #giveUp(holder: ConnectionHolder): void {
    this.#resting.delete(holder);
    holder.giveUp();
  }

  /** Whoever is told may let go at once: of a mirror that is down all do, one after the other. */
  #wake(): void {
    if (this.#isWaking) return;
    this.#isWaking = true;
    try {
      while (this.#hasRoom) {
        const [next] = this.#wanted.size > 0 ? this.#wanted : this.#waiting;
        if (next === undefined) return;
        this.#tell(next);
      }
    } finally {
      this.#isWaking = false;
    }
  }

  #tell(holder: ConnectionHolder): void {
    this.#forget(holder);
    holder.connectionFree();
  }

  /** It does not wait any more. */
  #forget(holder: ConnectionHolder): void {
    this.#waiting.delete(holder);
    this.#wanted.delete(holder);
  }
}
