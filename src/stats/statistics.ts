import jstat from "jstat";

/**
 * The distribution-free statistics that latencies are judged by. They assume
 * nothing of how times are spread, only that pairs are independent.
 *
 * @module
 */

/** The median's estimate and its confidence interval. */
export interface MedianInterval {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** P(X <= k) for X binomial with n tries of probability 1/2. */
function binomialCdf(k: number, n: number): number {
  if (k < 0) return 0;
  if (k >= n) return 1;
  return jstat.binomial.cdf(k, n, 0.5);
}

/**
 * The median with an interval of order statistics (Conover, Practical
 * Nonparametric Statistics, "Quantile test"): the widest pair of values that
 * leaves at most half of `1 - confidence` on each side.
 *
 * @param sorted ascending, not empty.
 */
export function medianInterval(
  sorted: readonly number[],
  confidence = 0.95,
): MedianInterval {
  const n = sorted.length;
  if (n === 0) throw new RangeError("Median of nothing");
  const middle = n >> 1;
  const median = n % 2 === 1
    ? sorted[middle] as number
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
  let rank = 0;
  while (binomialCdf(rank, n) <= (1 - confidence) / 2) rank++;
  if (rank === 0) return { median, low: -Infinity, high: Infinity };
  return {
    median,
    low: sorted[rank - 1] as number,
    high: sorted[n - rank] as number,
  };
}

/**
 * The sign test, one-sided: the chance of at least `above` of `n` values above
 * a bound if the true median were not above it. Ties are left out by the caller.
 */
export function signTest(above: number, n: number): number {
  return n === 0 ? 1 : 1 - binomialCdf(above - 1, n);
}

/**
 * Benjamini and Hochberg's procedure (1995): which of many tests are
 * discoveries if a share of at most `rate` of them may be false.
 *
 * @returns in the order of `pValues`.
 */
export function discoveries(
  pValues: readonly number[],
  rate = 0.05,
): boolean[] {
  const order = pValues.map((p, i) => ({ p, i })).sort((a, b) => a.p - b.p);
  let last = -1;
  order.forEach(({ p }, rank) => {
    if (p <= (rank + 1) / order.length * rate) last = rank;
  });
  const result = new Array<boolean>(pValues.length).fill(false);
  for (const { i } of order.slice(0, last + 1)) result[i] = true;
  return result;
}
