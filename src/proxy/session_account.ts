import type { ProbeSet } from "../plugin/probe_set.ts";
import { Failed } from "../stats/ledger.ts";

/** Counts a session's requests, in the series of each mirror that counts it. */
export class SessionAccount {
  /** None: nothing is counted. */
  series: readonly number[] = [];
  readonly #probes: ProbeSet;

  constructor(probes: ProbeSet) {
    this.#probes = probes;
  }

  /** A cycle was answered after so many seconds. */
  statement(seconds: number): void {
    for (let i = 0; i < this.series.length; i++) {
      this.#probes.primaryStatement(this.series[i] as number, seconds);
    }
  }

  /** A request that has no outcome yet. */
  seen(): void {
    for (let i = 0; i < this.series.length; i++) {
      this.#probes.requestSeen(this.series[i] as number);
    }
  }

  /** The outcome of one that was seen, a position in DROPPED. */
  dropped(reason: number): void {
    for (let i = 0; i < this.series.length; i++) {
      this.#probes.requestDropped(this.series[i] as number, reason);
    }
  }

  /** The outcome of one that was seen: our own code threw. */
  failed(): void {
    for (let i = 0; i < this.series.length; i++) {
      this.#probes.requestFailed(this.series[i] as number, Failed.internal);
    }
  }

  /** The outcome of one that was seen, a position in EXCLUDED. */
  excluded(reason: number): void {
    for (let i = 0; i < this.series.length; i++) {
      this.#probes.requestExcluded(this.series[i] as number, reason);
    }
  }
}
