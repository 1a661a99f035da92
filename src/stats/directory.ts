import {
  directoryViews,
  LABEL_BYTES,
  labelOffset,
  type StatsLayout,
} from "./layout.ts";

/** Values of the labels `database`, `mirror` and `user`. */
export type MirrorLabels = readonly [
  database: string,
  mirror: string,
  user: string,
];

/** The values of the shared series that takes what the bound on series refuses. */
export const OTHER: MirrorLabels = ["other", "other", "other"];
/** Its position. */
export const OTHER_SERIES = 0;

// States of a position. It only ever goes up.
const FREE = 0;
const WRITING = 1;
const PUBLISHED = 2;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Which series has which labels, shared by all stripes: a request that one
 * worker has seen and another has replayed is booked under one label set by
 * both, or under "other" by both, so that each series' ledger closes.
 *
 * A position is claimed by compare-and-exchange, filled, then published. No
 * worker waits for another: two that come with the same labels at once may take
 * two positions, and a snapshot adds up what has equal labels.
 */
export class Directory {
  readonly #states: Int32Array;
  readonly #labels: Uint8Array;
  readonly #known = new Map<string, number>();
  readonly #read: (MirrorLabels | undefined)[];

  constructor(layout: StatsLayout) {
    const { states, labels } = directoryViews(layout);
    this.#states = states;
    this.#labels = labels;
    this.#read = new Array(layout.maxSeries).fill(undefined);
    if (Atomics.compareExchange(states, OTHER_SERIES, FREE, WRITING) === FREE) {
      this.#publish(OTHER_SERIES, OTHER.map(encode));
    }
  }

  /** Finds or creates the series of these labels, longer values cut to 63 bytes. */
  series(labels: MirrorLabels): number {
    const encoded = labels.map(encode);
    const key = keyOf(encoded.map((bytes) => decoder.decode(bytes)));
    const known = this.#known.get(key) ?? this.#refresh().get(key);
    if (known !== undefined) return known;
    for (let i = 0; i < this.#states.length; i++) {
      if (Atomics.load(this.#states, i) !== FREE) continue;
      if (Atomics.compareExchange(this.#states, i, FREE, WRITING) !== FREE) {
        continue;
      }
      this.#publish(i, encoded);
      return i;
    }
    // Refused labels are not remembered: there is no end to them.
    return OTHER_SERIES;
  }

  /** Calls `visit` for each published series. */
  forEach(visit: (labels: MirrorLabels, series: number) => void): void {
    this.#refresh();
    this.#read.forEach((labels, i) => labels && visit(labels, i));
  }

  #publish(series: number, encoded: readonly Uint8Array[]): void {
    encoded.forEach((bytes, i) => {
      const at = labelOffset(series, i);
      this.#labels[at] = bytes.length;
      this.#labels.set(bytes, at + 1);
    });
    Atomics.store(this.#states, series, PUBLISHED);
    this.#take(series);
  }

  /** Takes in what others have published. */
  #refresh(): ReadonlyMap<string, number> {
    for (let i = 0; i < this.#states.length; i++) {
      if (this.#read[i] !== undefined) continue;
      if (Atomics.load(this.#states, i) === PUBLISHED) this.#take(i);
    }
    return this.#known;
  }

  #take(series: number): void {
    const text = (label: number) => {
      const at = labelOffset(series, label);
      const length = this.#labels[at] as number;
      return decoder.decode(this.#labels.slice(at + 1, at + 1 + length));
    };
    const labels: MirrorLabels = [text(0), text(1), text(2)];
    this.#read[series] = labels;
    if (!this.#known.has(keyOf(labels))) this.#known.set(keyOf(labels), series);
  }
}

/** A name of PostgreSQL's holds no NUL. */
function keyOf(labels: readonly string[]): string {
  return labels.join("\0");
}

/** At most 63 bytes of `label`, never half a character. */
function encode(label: string): Uint8Array {
  const bytes = new Uint8Array(LABEL_BYTES - 1);
  return bytes.subarray(0, encoder.encodeInto(label, bytes).written);
}
