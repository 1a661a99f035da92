/** An interval of our monotonic clock, in microseconds. */
export interface Moment {
  readonly fromUs: number;
  readonly toUs: number;
}

/** A measurement is kept for so long if no narrower one comes: clocks drift by less than a millisecond in it. */
const KEPT_US = 10_000_000;

interface Measurement {
  /** The server's clock is ahead of ours by so much, at least and at most. */
  readonly leastUs: number;
  readonly mostUs: number;
  readonly atUs: number;
}

/**
 * Where a server's clock is, as told by its answers: what it read lies between
 * our question and its answer.
 */
export class ServerClock {
  #best: Measurement | undefined;

  /** The server's clock stood at `serverUs` when it was asked, between these two moments of ours. */
  note(serverUs: number, askedUs: number, answeredUs: number): void {
    const leastUs = serverUs - answeredUs;
    const mostUs = serverUs - askedUs;
    const best = this.#best;
    const isKept = best !== undefined &&
      answeredUs - best.atUs < KEPT_US &&
      best.mostUs - best.leastUs <= mostUs - leastUs &&
      // Else it was set.
      best.leastUs <= mostUs && leastUs <= best.mostUs;
    if (!isKept) this.#best = { leastUs, mostUs, atUs: answeredUs };
  }

  /** When it was `serverUs` there, by our clock; undefined: it was never asked. */
  momentOf(serverUs: number): Moment | undefined {
    const best = this.#best;
    return best && {
      fromUs: serverUs - best.mostUs,
      toUs: serverUs - best.leastUs,
    };
  }
}
