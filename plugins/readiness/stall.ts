import type { StatsSnapshot } from "../../src/plugin/api.ts";

const OUTCOMES = [
  "mirror_requests_excluded_total",
  "mirror_requests_dropped_total",
  "mirror_requests_mirrored_total",
  "mirror_requests_failed_total",
];

/** Notices that requests are pending and none finds its outcome: a mirror worker that hangs, or has died. */
export class Stall {
  /** For how long. */
  seconds = 0;
  #outcomes = -1;
  #sinceMs = 0;

  /** Looks at the next sample. */
  look(snapshot: StatsSnapshot, uptimeMs: number): void {
    const sum = (name: string) =>
      (snapshot.get(name)?.series ?? [])
        .reduce((total, { value }) => total + value, 0);
    const outcomes = OUTCOMES.reduce((total, name) => total + sum(name), 0);
    const pending = sum("mirror_pending_requests") > 0;
    if (!pending || outcomes !== this.#outcomes) this.#sinceMs = uptimeMs;
    this.#outcomes = outcomes;
    this.seconds = (uptimeMs - this.#sinceMs) / 1e3;
  }
}
