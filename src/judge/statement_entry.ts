import type { Shape } from "../sql/shape.ts";
import {
  DURATION_BUCKETS,
  type Example,
  isMismatch,
  latencyComparison,
  LatencySketcher,
  RESULTS,
  type StatementSummary,
} from "../stats/mod.ts";
import { DriftCounts } from "./drift_counts.ts";
import { MismatchCounts } from "./mismatch_counts.ts";

/** Examples kept of each result. */
const EXAMPLES = 3;
/** Masked columns counted apart. */
const MAX_MASKED = 20;
/** What an entry takes beside its text and sketch: counts, two histograms, its shape. */
const ENTRY_BYTES = 2_048;
/** An example and its values, at the most. */
const EXAMPLE_BYTES = 2_560;

/** What is known of one fingerprint, or of all that were given up. */
export class StatementEntry {
  calls = 0;
  rows = 0;
  readonly results = new Float64Array(RESULTS.length);
  readonly outcomes = new MismatchCounts();
  readonly primary = new Histogram();
  readonly mirror = new Histogram();
  firstSeen = Date.now();
  lastSeen = this.firstSeen;
  /** Of pairs of which both sides succeeded. */
  readonly latency = new LatencySketcher();
  readonly masked: Record<string, number> = {};
  /** Its differences behind which drawn columns may stand. */
  readonly drifted = new DriftCounts();
  readonly examples: Example[] = [];

  constructor(readonly shape: Shape) {}

  /** About what it holds, in bytes. */
  get bytes(): number {
    return ENTRY_BYTES + 2 * this.shape.text.length + this.latency.bytes +
      this.drifted.bytes + this.examples.length * EXAMPLE_BYTES;
  }

  /** Whether anything differed. */
  get hasMismatches(): boolean {
    return this.results.some((count, i) => count > 0 && isMismatch(i));
  }

  /** Takes an entry that is given up. Medians of several statements say nothing: they end with it. */
  fold(other: StatementEntry): void {
    this.calls += other.calls;
    this.rows += other.rows;
    other.results.forEach((count, i) => {
      this.results[i] = (this.results[i] ?? 0) + count;
    });
    this.outcomes.fold(other.outcomes);
    this.primary.fold(other.primary);
    this.mirror.fold(other.mirror);
    this.firstSeen = Math.min(this.firstSeen, other.firstSeen);
    this.lastSeen = Math.max(this.lastSeen, other.lastSeen);
    for (const [name, count] of Object.entries(other.masked)) {
      this.countMasked(name, count);
    }
    this.drifted.fold(other.drifted);
    for (const example of other.examples) this.keepExample(example);
  }

  countMasked(name: string, count: number): void {
    const known = this.masked[name];
    if (
      known === undefined && Object.keys(this.masked).length >= MAX_MASKED
    ) return;
    this.masked[name] = (known ?? 0) + count;
  }

  keepExample(example: Example): void {
    if (this.wantsExample(example.result)) this.examples.push(example);
  }

  wantsExample(result: string): boolean {
    const same = this.examples.filter((example) => example.result === result);
    return same.length < EXAMPLES;
  }

  summary(
    whose: { readonly database: string; readonly mirror: string },
  ): StatementSummary {
    const sketch = this.latency.snapshot();
    return {
      database: whose.database,
      mirror: whose.mirror,
      fingerprint: this.shape.fingerprint,
      text: this.shape.text,
      calls: this.calls,
      results: [...this.results],
      outcomes: this.outcomes.snapshot(),
      rows: this.rows,
      primary: this.primary.snapshot(),
      mirrorLatency: this.mirror.snapshot(),
      sketch,
      latency: latencyComparison(sketch),
      firstSeen: this.firstSeen,
      lastSeen: this.lastSeen,
      masked: { ...this.masked },
      drifted: this.drifted.snapshot(),
      examples: [...this.examples],
    };
  }
}

/** A histogram on DURATION_BUCKETS. */
class Histogram {
  readonly #counts = new Float64Array(DURATION_BUCKETS.length + 1);
  #sum = 0;
  #count = 0;

  add(seconds: number): void {
    let bucket = 0;
    while (
      bucket < DURATION_BUCKETS.length &&
      seconds > (DURATION_BUCKETS[bucket] as number)
    ) bucket++;
    (this.#counts[bucket] as number)++;
    this.#sum += seconds;
    this.#count++;
  }

  fold(other: Histogram): void {
    other.#counts.forEach((count, bucket) => {
      (this.#counts[bucket] as number) += count;
    });
    this.#sum += other.#sum;
    this.#count += other.#count;
  }

  snapshot() {
    return { counts: [...this.#counts], sum: this.#sum, count: this.#count };
  }
}
