/** An hour of observed time, or the part of it that has passed. */
export interface TrafficHour {
  readonly elapsedMs: number;
  /** Requests that were replayed in it; null: an old history does not tell. */
  readonly replayed: number | null;
}

const HOUR_MS = 3_600_000;
/** An hour counts from this share of the usual rate on. */
const SHARE = 0.1;

/**
 * How much of the time had traffic: hours in which requests were replayed at no
 * less than a tenth of the usual rate, which is the mean over the hours that had
 * any. An hour that has not ended counts by what has passed of it; one of which
 * nothing is known counts.
 */
export function activeMs(hours: readonly TrafficHour[]): number {
  const busy = hours.filter(({ replayed }) => (replayed ?? 0) > 0);
  const usual = sum(busy, ({ replayed }) => replayed ?? 0) /
    sum(busy, ({ elapsedMs }) => elapsedMs);
  return sum(
    hours.filter(({ elapsedMs, replayed }) =>
      replayed === null ||
      (replayed > 0 && replayed >= SHARE * usual * elapsedMs)
    ),
    ({ elapsedMs }) => elapsedMs,
  );
}

/** All of the time, with traffic or without. */
export function observedMs(hours: readonly TrafficHour[]): number {
  return sum(hours, ({ elapsedMs }) => elapsedMs);
}

/** Cuts observed time into hours, and counts what each pair of databases had replayed in each. */
export class TrafficHours {
  #elapsedMs = 0;
  /** By pair: what was replayed until the end of each hour. */
  readonly #until = new Map<string, number[]>();

  /**
   * Looks at the next moment, now and then.
   *
   * @param elapsedMs since the first hour began, by a clock that nobody sets.
   * @param replayed of each pair, since then.
   */
  look(elapsedMs: number, replayed: ReadonlyMap<string, number>): void {
    this.#elapsedMs = Math.max(this.#elapsedMs, elapsedMs);
    const hour = this.#hour;
    for (const [pair, count] of replayed) {
      const until = this.#until.get(pair) ?? [];
      this.#until.set(pair, until);
      // Nobody looked in hours that are left out: nothing is known to have come in them.
      while (until.length < hour) until.push(until.at(-1) ?? 0);
      until[hour] = count;
    }
  }

  /** Of a pair, oldest first; one without traffic has its hours, too. */
  of(pair: string): TrafficHour[] {
    if (this.#elapsedMs === 0) return [];
    const until = this.#until.get(pair) ?? [];
    return Array.from({ length: this.#hour + 1 }, (_, hour) => {
      const before = hour === 0 ? 0 : until[hour - 1] ?? until.at(-1) ?? 0;
      return {
        elapsedMs: Math.min(HOUR_MS, this.#elapsedMs - hour * HOUR_MS),
        replayed: (until[hour] ?? before) - before,
      };
    });
  }

  /** The one that is under way; the end of an hour is its own. */
  get #hour(): number {
    return Math.max(0, Math.ceil(this.#elapsedMs / HOUR_MS) - 1);
  }
}

function sum<T>(of: readonly T[], value: (one: T) => number): number {
  return of.reduce((total, one) => total + value(one), 0);
}
