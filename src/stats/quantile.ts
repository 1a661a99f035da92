import type { HistogramSnapshot } from "./snapshot.ts";

/**
 * The `q` quantile (0 to 1) of a histogram, interpolated linearly within its
 * bucket as Prometheus' `histogram_quantile` does: the lowest bucket begins at
 * 0, and what lies above the last bound is answered with that bound.
 *
 * @param bounds upper bounds of the buckets, without +Inf.
 * @returns in the histogram's unit; NaN without observations.
 */
export function quantile(
  histogram: HistogramSnapshot,
  bounds: readonly number[],
  q: number,
): number {
  if (histogram.count === 0) return NaN;
  const rank = q * histogram.count;
  let below = 0;
  for (const [i, bound] of bounds.entries()) {
    const count = histogram.counts[i] ?? 0;
    if (below + count >= rank && count > 0) {
      const lower = i === 0 ? 0 : bounds[i - 1] ?? 0;
      return lower + (bound - lower) * (rank - below) / count;
    }
    below += count;
  }
  return bounds.at(-1) ?? NaN;
}
