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
  /** How stripes combine; gauges only, "max" for values not below 0. Default "sum". */
  readonly aggregate?: "sum" | "max";
  /**
   * Gauges with `aggregate: "max"` only: the maximum of the window that RESET
   * MIRROR_STATS begins anew. Written through `Stripe.maximum`.
   */
  readonly windowed?: boolean;
  /**
   * Counters without a label of their own only: the gauge, of the same labels, of
   * what is counted here and has no outcome yet. When a window begins that is the
   * new window's.
   */
  readonly open?: string;
  /** Kept for SHOW, left out by exporters. */
  readonly internal?: boolean;
  /**
   * The value is computed when a snapshot is taken, from the other metrics of
   * the same series; it has no cell.
   *
   * @param get the value of another metric: of one label value, or the sum over all.
   * @param set the label set of {@linkcode MetricSpec.sets} that is asked for.
   */
  readonly derive?: (
    get: (name: string, labelValue?: string) => number,
    labelValue: string | undefined,
    set?: LabelSet,
  ) => number;
  /**
   * Derived metrics of the process only: one series for each of these label
   * sets, say for each configured mirror, whether it has traffic or not.
   */
  readonly sets?: readonly LabelSet[];
}

/** Label names and their values. */
export type LabelSet = Readonly<Record<string, string>>;

const NAME = /^[a-z][a-z0-9_]*$/;
/** `le` is the label of a histogram's buckets. */
const RESERVED_LABELS: readonly string[] = [...MIRROR_LABELS, "le"];

/** @throws {TypeError} naming what is wrong with `spec`. */
export function checkSpec(spec: MetricSpec): void {
  const problem = nameProblem(spec) ?? labelProblem(spec.label) ??
    setsProblem(spec) ?? valueProblem(spec);
  if (problem !== undefined) {
    throw new TypeError(`Metric "${spec.name}" ${problem}`);
  }
}

type Problem = string | undefined;

function nameProblem({ name, help, type }: MetricSpec): Problem {
  if (!NAME.test(name)) return "is not a metric name";
  if (help.trim() === "") return "has no help text";
  if (type === "counter" && !name.endsWith("_total")) {
    return "is a counter and must end in _total";
  }
  if (type !== "counter" && name.endsWith("_total")) {
    return "ends in _total and is not a counter";
  }
}

function labelProblem(label: MetricSpec["label"]): Problem {
  if (label === undefined) return undefined;
  if (!NAME.test(label.name)) return `has the ill-named label "${label.name}"`;
  if (RESERVED_LABELS.includes(label.name)) {
    return `has the label "${label.name}", which is taken`;
  }
  if (label.values.length === 0) return "has a label without values";
  const twice = label.values.find((v, i) => label.values.indexOf(v) !== i);
  if (twice !== undefined) return `has the label value "${twice}" twice`;
}

function setsProblem({ sets, scope, label, derive }: MetricSpec): Problem {
  if (sets === undefined) return undefined;
  if (scope !== "process" || derive === undefined) {
    return "has label sets and is not a derived metric of the process";
  }
  const names = sets.flatMap((set) => Object.keys(set));
  const wrong = names.find((name) =>
    !NAME.test(name) || name === "le" || name === label?.name
  );
  if (wrong !== undefined) return `has the ill-named label "${wrong}"`;
}

function valueProblem(spec: MetricSpec): Problem {
  const { type, buckets, aggregate, windowed, derive } = spec;
  if (aggregate !== undefined && type !== "gauge") {
    return "has an aggregate and is not a gauge";
  }
  if (windowed && (aggregate !== "max" || derive)) {
    return 'is windowed and not a gauge with cells and the aggregate "max"';
  }
  if (type !== "histogram") {
    return buckets && "has buckets and is not a histogram";
  }
  if (derive) return "is a histogram and can't be derived";
  if (buckets === undefined || buckets.length === 0) return "has no buckets";
  if (buckets.some((bound) => !Number.isFinite(bound))) {
    return "has a bucket without a finite bound";
  }
  const ascends = buckets.every((bound, i) =>
    i === 0 || bound > (buckets[i - 1] ?? 0)
  );
  return ascends ? undefined : "has buckets that do not ascend";
}

/** Cells of one label value of a metric: a histogram has its buckets, the overflow and the sum. */
export function cellsPerValue(spec: MetricSpec): number {
  if (spec.derive !== undefined) return 0;
  return spec.type === "histogram" ? (spec.buckets?.length ?? 0) + 2 : 1;
}
