import { median } from "../support.ts";

/** What is measured, how it is called, and the digits that it deserves. */
export const METRICS = {
  perSecond: { title: "per second", digits: 0 },
  mbPerSecond: { title: "MB/s", digits: 0 },
  latencyMs: { title: "latency, ms", digits: 2 },
  p50Ms: { title: "p50, ms", digits: 2 },
  p99Ms: { title: "p99, ms", digits: 2 },
  besideP50Ms: { title: "p50 beside slow clients, ms", digits: 2 },
  besideP99Ms: { title: "p99 beside slow clients, ms", digits: 2 },
  /** With a mirror of the proxy workers: what clients wait for. */
  cpuUs: { title: "CPU, µs", digits: 1 },
  cpuUsPerMb: { title: "CPU, µs per MB", digits: 0 },
  /** Of all threads, those that replay and compare too. */
  processCpuUs: { title: "CPU of all threads, µs", digits: 1 },
  processCpuUsPerMb: { title: "CPU of all threads, µs per MB", digits: 0 },
  memoryMb: { title: "memory, MB more", digits: 1 },
  replayedPercent: { title: "replayed, %", digits: 1 },
} as const;
export type Metric = keyof typeof METRICS;
export type Figures = Readonly<Partial<Record<Metric, number>>>;

/** What a run was: the keys of its row. */
export interface Labels {
  readonly what: string;
  readonly mode?: string;
  readonly clients?: number;
}

/** One case of a scenario: what each target did, round by round. */
export interface CaseResult {
  readonly labels: Labels;
  /** By the target's name; undefined where a round failed. */
  readonly rounds: ReadonlyMap<string, readonly (Figures | undefined)[]>;
  /** Why a target is left out, by its name. */
  readonly leftOut: ReadonlyMap<string, string>;
}

/** The median over the rounds; undefined if nothing was measured. */
export function middle(
  { rounds }: CaseResult,
  target: string,
  metric: Metric,
): number | undefined {
  return medianOf(
    (rounds.get(target) ?? []).map((figures) => figures?.[metric]),
  );
}

/** The median of the ratios of each round: what the machine does meanwhile hits both. */
export function ratio(
  { rounds }: CaseResult,
  target: string,
  baseline: string,
  metric: Metric,
): number | undefined {
  const others = rounds.get(baseline);
  return medianOf((rounds.get(target) ?? []).map((figures, round) => {
    const value = figures?.[metric];
    const other = others?.[round]?.[metric];
    return value === undefined || !other ? undefined : value / other;
  }));
}

function medianOf(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : median(known);
}
