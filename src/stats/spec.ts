/** Which labels a metric's series carry: none, or `database`, `mirror`, `user`. */
export type Scope = "process" | "mirror";

/** Label names of {@linkcode Scope} `mirror`, in the order that `Stripe.series` takes their values. */
export const MIRROR_LABELS = ["database", "mirror", "user"] as const;

/** What a metric is, before any value of it exists. */
export interface MetricSpec {
  /** Without the exporter's namespace: `mirror_requests_total`. */
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly scope: Scope;
  /** One enumerated label; value `i` has the cell at `offset + i`. */
  readonly label?: {
    readonly name: string;
    readonly values: readonly string[];
  };
  /** Histograms only: upper bounds in base units, ascending, without +Inf. */
  readonly buckets?: readonly number[];
  /** How stripes combine; gauges only. Default `sum`. */
  readonly aggregate?: "sum" | "max";
  /** Kept for SHOW, left out by exporters. */
  readonly internal?: boolean;
  /**
   * The value is computed when a snapshot is taken, from the other metrics of
   * the same series; it has no cell.
   *
   * @param get the value of another metric: of one label value, or the sum over all.
   */
  readonly derive?: (
    get: (name: string, labelValue?: string) => number,
    labelValue: string | undefined,
  ) => number;
}

const NAME = /^[a-z][a-z0-9_]*$/;

/** @throws {TypeError} naming what is wrong with `spec`. */
export function checkSpec(spec: MetricSpec): void {
  const problem = !NAME.test(spec.name)
    ? "is not a metric name"
    : spec.help.trim() === ""
    ? "has no help text"
    : spec.type === "counter" && !spec.name.endsWith("_total")
    ? "is a counter and must end in _total"
    : spec.type !== "counter" && spec.name.endsWith("_total")
    ? "ends in _total and is not a counter"
    : spec.label !== undefined && spec.label.values.length === 0
    ? "has a label without values"
    : spec.type === "histogram"
    ? bucketProblem(spec.buckets)
    : undefined;
  if (problem !== undefined) {
    throw new TypeError(`Metric "${spec.name}" ${problem}`);
  }
}

function bucketProblem(buckets: readonly number[] | undefined) {
  if (buckets === undefined || buckets.length === 0) return "has no buckets";
  return buckets.some((bound, i) => i > 0 && bound <= (buckets[i - 1] ?? 0))
    ? "has buckets that do not ascend"
    : undefined;
}

/** Cells of one label value of a metric: a histogram has its buckets, the overflow and the sum. */
export function cellsPerValue(spec: MetricSpec): number {
  if (spec.derive !== undefined) return 0;
  return spec.type === "histogram" ? (spec.buckets?.length ?? 0) + 2 : 1;
}
