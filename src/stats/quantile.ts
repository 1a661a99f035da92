import type { HistogramSnapshot } from "./snapshot.ts";

/**
 * The `q` quantile of a histogram, interpolated linearly within its bucket as
 * Prometheus' `histogram_quantile` does
 * (https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile):
 * the lowest bucket begins at 0 if its bound is above 0, and what lies above the
 * last bound is answered with that bound.
 *
 * @param bounds upper bounds of the buckets, without +Inf.
 * @param q from 0 to 1.
 * @returns in the histogram's unit; NaN without observations.
 * @throws {RangeError} if `q` is outside.
 */
export function quantile(
  histogram: HistogramSnapshot,
  bounds: readonly number[],
  q: number,
): number {
  if (!(q >= 0 && q <= 1)) {
    throw new RangeError(`Quantile ${q} asked for, it must be from 0 to 1`);
  }
  if (histogram.count === 0) return NaN;
  const rank = q * histogram.count;
  let below = 0;
  for (const [i, bound] of bounds.entries()) {
    const count = histogram.counts[i] ?? 0;
    // An empty bucket holds no quantile, not even that of q = 0.
    if (count > 0 && below + count >= rank) {
      const lower = bounds[i - 1] ?? Math.min(0, bound);
      return lower + (bound - lower) * ((rank - below) / count);
    }
    below += count;
  }
  return bounds.at(-1) ?? NaN;
}
