import {
  latencyComparison,
  LatencySketcher,
  NO_SKETCH,
  type StatementSummary,
} from "../../src/stats/mod.ts";

export type Times = readonly [
  pairs: number,
  primaryMs: number,
  mirrorMs: number,
];

/** What a summary says of latency: so many pairs of such times, all at midnight. */
export function latencyOf(
  ...times: readonly Times[]
): Pick<StatementSummary, "sketch" | "latency"> {
  const sketcher = new LatencySketcher();
  for (const [pairs, primaryMs, mirrorMs] of times) {
    for (let i = 0; i < pairs; i++) {
      sketcher.add(primaryMs * 1e3, mirrorMs * 1e3, 0);
    }
  }
  const sketch = sketcher.snapshot();
  return { sketch, latency: latencyComparison(sketch) };
}

/** Of no pair. */
export const NO_LATENCY: Pick<StatementSummary, "sketch" | "latency"> = {
  sketch: NO_SKETCH,
  latency: latencyComparison(NO_SKETCH),
};
