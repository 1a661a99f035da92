import {
  DURATION_BUCKETS,
  type HistogramSnapshot,
  quantile,
  type StatsSnapshot,
} from "../../src/plugin/api.ts";
import { between, type Pair, PairSeries } from "./series.ts";

/** Points kept of each mirror, one a second: 15 minutes, about 80 kB. */
const MAX_POINTS = 900;
/** Seconds that a point looks back: one is too short for the 99th percentile of calm traffic. */
const WINDOW = 5;

/** One moment. Times are of the last five seconds; null if there was none. */
export interface Point {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly primaryP50Ms: number | null;
  readonly primaryP99Ms: number | null;
  readonly mirrorP50Ms: number | null;
  readonly mirrorP99Ms: number | null;
  /** Of the last replay; null if there was none in the last five seconds. */
  readonly lagSeconds: number | null;
  /** Requests that wait for the mirror, and those in flight. */
  readonly pending: number;
  readonly seenPerSecond: number;
  readonly replayedPerSecond: number;
}

/** Points as columns, oldest first. */
export type Columns = { readonly [K in keyof Point]: Point[K][] };

/** What points are made of. */
interface Look {
  readonly at: number;
  readonly seen: number;
  readonly replayed: number;
  readonly primary: HistogramSnapshot;
  readonly mirror: HistogramSnapshot;
}

interface Track {
  readonly looks: Look[];
  readonly points: Point[];
}

/** The last minutes of each mirror, so that a page that is opened has a past. */
export class Recent {
  readonly #tracks = new Map<string, Track>();

  /** Once a second. */
  sample(snapshot: StatsSnapshot, pairs: readonly Pair[]): void {
    for (const pair of pairs) {
      const track = this.#track(pair);
      const series = new PairSeries(snapshot, pair);
      const duration = "statement_duration_seconds";
      const now: Look = {
        at: snapshot.at,
        seen: series.sum("mirror_requests_total"),
        replayed: series.sum("mirror_requests_mirrored_total"),
        primary: series.histogram(duration, ["target", "primary"]),
        mirror: series.histogram(duration, ["target", "mirror"]),
      };
      const then = track.looks[0];
      if (then !== undefined) {
        push(track.points, MAX_POINTS, point(now, then, series));
      }
      push(track.looks, WINDOW, now);
    }
  }

  /** @param since milliseconds since the epoch; what is later is given. */
  columns(pair: Pair, since: number): Columns {
    const points = this.#track(pair).points.filter(({ at }) => at > since);
    const column = <K extends keyof Point>(name: K) =>
      points.map((point) => point[name]);
    return {
      at: column("at"),
      primaryP50Ms: column("primaryP50Ms"),
      primaryP99Ms: column("primaryP99Ms"),
      mirrorP50Ms: column("mirrorP50Ms"),
      mirrorP99Ms: column("mirrorP99Ms"),
      lagSeconds: column("lagSeconds"),
      pending: column("pending"),
      seenPerSecond: column("seenPerSecond"),
      replayedPerSecond: column("replayedPerSecond"),
    };
  }

  #track({ database, mirror }: Pair): Track {
    const key = JSON.stringify([database, mirror]);
    const known = this.#tracks.get(key);
    if (known !== undefined) return known;
    const track: Track = { looks: [], points: [] };
    this.#tracks.set(key, track);
    return track;
  }
}

function point(now: Look, then: Look, series: PairSeries): Point {
  const seconds = Math.max(0.001, (now.at - then.at) / 1e3);
  const primary = between(now.primary, then.primary);
  const mirror = between(now.mirror, then.mirror);
  const replayed = now.replayed - then.replayed;
  return {
    at: now.at,
    primaryP50Ms: quantileMs(primary, 0.5),
    primaryP99Ms: quantileMs(primary, 0.99),
    mirrorP50Ms: quantileMs(mirror, 0.5),
    mirrorP99Ms: quantileMs(mirror, 0.99),
    lagSeconds: replayed > 0 ? series.max("mirror_lag_seconds") : null,
    pending: series.sum("mirror_pending_requests"),
    seenPerSecond: (now.seen - then.seen) / seconds,
    replayedPerSecond: replayed / seconds,
  };
}

/** Null without an observation. */
export function quantileMs(
  histogram: HistogramSnapshot,
  q: number,
): number | null {
  return histogram.count > 0
    ? quantile(histogram, DURATION_BUCKETS, q) * 1e3
    : null;
}

function push<T>(list: T[], bound: number, value: T): void {
  list.push(value);
  if (list.length > bound) list.shift();
}
