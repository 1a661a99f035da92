import type { TargetSettings } from "./target.ts";

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
 * needs one and there are as many as there may be. Who finds none at rest waits,
 * unless somebody waits for it: else those that are connected might wait for
 * what it has to replay, and it for them. One at rest that can't be made anew is
 * not counted: others would wait for it for ever.
 */
export class MirrorConnections {
  readonly #settings: () => Pick<
    TargetSettings,
    "maxConnections" | "idleTimeoutMs"
  >;
  readonly #holders = new Set<ConnectionHolder>();
  /** Since when they rest, in microseconds of the monotonic clock: the longest first. While anybody waits there are none. */
  readonly #resting = new Map<ConnectionHolder, number>();
  readonly #waiting = new Set<ConnectionHolder>();

  constructor(
    settings: () => Pick<
      TargetSettings,
      "maxConnections" | "idleTimeoutMs"
    >,
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
    if (!this.#hasRoom && !isWanted) {
      const [resting] = this.#resting.keys();
      if (resting === undefined) {
        this.#waiting.add(holder);
        return false;
      }
      this.#giveUp(resting);
    }
    this.#waiting.delete(holder);
    this.#holders.add(holder);
    return true;
  }

  /** It has nothing to replay, and may be given up. */
  rest(holder: ConnectionHolder, nowUs: number): void {
    this.#resting.set(holder, nowUs);
    if (this.#waiting.size > 0) this.#giveUp(holder);
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
    this.#waiting.delete(holder);
    if (this.#holders.delete(holder)) this.#wake();
  }

  /** Gives up those that have rested for long, and looks whether there may be more of them now. */
  look(nowUs: number): void {
    const { idleTimeoutMs } = this.#settings();
    for (const [holder, sinceUs] of this.#resting) {
      if (nowUs - sinceUs < idleTimeoutMs * 1e3) break;
      this.#giveUp(holder);
    }
    this.#wake();
  }

  get #hasRoom(): boolean {
    const { maxConnections } = this.#settings();
    return maxConnections === 0 || this.#holders.size < maxConnections;
  }

  #giveUp(holder: ConnectionHolder): void {
    this.#resting.delete(holder);
    holder.giveUp();
  }

  #wake(): void {
    for (const holder of this.#waiting) {
      if (!this.#hasRoom) return;
      this.#waiting.delete(holder);
      holder.connectionFree();
    }
  }
}
