const AGGREGATES =
  /^(count|sum|avg|min|max|every|any_value|bool_(and|or)|bit_(and|or|xor)|\w+_agg|xmlagg|range_\w+agg|stddev\w*|var(iance|_\w+)|corr|covar_\w+|regr_\w+|mode|percentile_\w+)$/;

/** Whether a function is an aggregate (manual, "Aggregate Functions"). */
export function isAggregate(name: string): boolean {
  return AGGREGATES.test(name);
}
