import type { HistogramSnapshot } from "./snapshot.ts";

/** How the mirror's time compares with the primary's, over pairs of one statement. */
export interface LatencyComparison {
  /** Pairs that the figures rest on. */
  readonly pairs: number;
  /** Median of mirror time by primary time, and its 95 % interval; null below two pairs. */
  readonly ratio: number | null;
  readonly ratioLow: number | null;
  readonly ratioHigh: number | null;
  /** Median of mirror time less primary time, in seconds. */
  readonly difference: number | null;
  /** Of the sign test that the ratio's median is above the limit. */
  readonly pValue: number;
}

/** One side of an example: what the server answered. */
export interface Outcome {
  /** `complete`, `error`, … */
  readonly kind: string;
  readonly sqlstate: string | null;
  readonly tag: string | null;
  readonly rows: number;
}

/** A difference that was seen, kept to be looked at. */
export interface Example {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** One of RESULTS. */
  readonly result: string;
  readonly primary: Outcome;
  readonly mirror: Outcome;
  /** The session's number. */
  readonly session: number;
  /** The statement as sent, with its values; null unless `mirror_examples` is "clear". */
  readonly values: string | null;
}

/** What is known of one fingerprint on one mirror, since the process started. */
export interface StatementSummary {
  readonly database: string;
  readonly mirror: string;
  readonly fingerprint: string;
  readonly text: string;
  readonly calls: number;
  /** In the order of RESULTS. */
  readonly results: readonly number[];
  /** Rows that the primary returned. */
  readonly rows: number;
  readonly primary: HistogramSnapshot;
  readonly mirrorLatency: HistogramSnapshot;
  readonly latency: LatencyComparison;
  /** Milliseconds since the epoch. */
  readonly firstSeen: number;
  readonly lastSeen: number;
  /** Relations whose sequence or identity values differed, with their number. */
  readonly sequences: Readonly<Record<string, number>>;
  readonly examples: readonly Example[];
}

/** The main thread's copy of the mirror workers' tables. */
export class StatementStore {
  readonly #summaries = new Map<string, StatementSummary>();

  /** Takes what has changed; a summary replaces the one before. */
  update(summaries: readonly StatementSummary[]): void {
    for (const summary of summaries) {
      const { database, mirror, fingerprint } = summary;
      const key = JSON.stringify([database, mirror, fingerprint]);
      this.#summaries.set(key, summary);
    }
  }

  /** All, in the order of their first sight. */
  all(): StatementSummary[] {
    return [...this.#summaries.values()];
  }
}
