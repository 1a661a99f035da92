/** From the worst. */
export const SEVERITIES = ["error", "warning", "note"] as const;
export type Severity = (typeof SEVERITIES)[number];

/** One difference between two servers, or one thing about the mirror. */
export interface Finding {
  readonly severity: Severity;
  /** What a reader looks for together: `settings`, `schema`, … */
  readonly group: string;
  /** Stable name of the check, for programs: `index_invalid`. */
  readonly rule: string;
  /** What it is about: `index public.orders_pkey`. */
  readonly object: string;
  /** What is wrong with it. */
  readonly what: string;
  /** What was found; undefined where that side has no part in it. */
  readonly primary?: string;
  readonly mirror?: string;
  /** What to do. */
  readonly advice: string;
}

/** How many findings there are of each severity. */
export type Counts = Readonly<Record<Severity, number>>;

export function countFindings(findings: readonly Finding[]): Counts {
  const counts = { error: 0, warning: 0, note: 0 };
  for (const { severity } of findings) counts[severity]++;
  return counts;
}
