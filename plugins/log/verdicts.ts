import type { StatsSnapshot } from "../../src/plugin/api.ts";

/** One verdict after another. */
export interface VerdictChange {
  readonly from: string;
  readonly to: string;
  readonly score: number;
  /** Gates that fail, and gates without enough evidence. */
  readonly failed: readonly string[];
  readonly insufficient: readonly string[];
}

/** Watches the verdict as the registry has it. */
export class VerdictWatch {
  #last: string | undefined;

  /** What the verdict became since the last look; undefined if it is the same, or there is none. */
  look(snapshot: StatsSnapshot): VerdictChange | undefined {
    const series = (name: string) => snapshot.get(name)?.series ?? [];
    const state = series("mirror_readiness_state")
      .find(({ value }) => value === 1)?.labels.state;
    if (state === undefined) return undefined;
    const from = this.#last;
    this.#last = state;
    if (from === undefined || from === state) return undefined;
    const gates = (status: number) =>
      series("mirror_readiness_gate").filter(({ value }) => value === status)
        .map(({ labels }) => labels.gate ?? "");
    return {
      from,
      to: state,
      score: series("mirror_readiness_score")[0]?.value ?? 0,
      failed: gates(0),
      insufficient: gates(-1),
    };
  }
}
