import { type MetricSpec, Registry, Stripe } from "../../src/stats/mod.ts";

/** A registry with these metrics, frozen, and its stripes. */
export function frozen(
  specs: readonly MetricSpec[],
  options: { readonly stripes?: number; readonly maxSeries?: number } = {},
) {
  const { stripes: count = 1, ...rest } = options;
  const registry = new Registry();
  for (const spec of specs) registry.declare(spec);
  const layout = registry.freeze({ stripes: count, ...rest });
  const stripes = Array.from(
    { length: count },
    (_, i) => new Stripe(layout, i),
  );
  return { registry, layout, stripes, stripe: stripes[0] as Stripe };
}

/** Counts the way a probe does. */
export function count(
  stripe: Stripe,
  name: string,
  base: number,
  by = 1,
  labelValue = 0,
): void {
  const cell = base + stripe.offset(name) + labelValue;
  stripe.cells[cell] = (stripe.cells[cell] ?? 0) + by;
}

/** Label values and value of each series of a metric, `a/b/c=1`, sorted. */
export function seriesOf(registry: Registry, name: string): string[] {
  return (registry.snapshot().get(name)?.series ?? [])
    .map(({ labels, value }) => `${Object.values(labels).join("/")}=${value}`)
    .sort();
}

export const SEEN: MetricSpec = {
  name: "seen_total",
  help: "Seen",
  type: "counter",
  scope: "mirror",
};

export const DONE: MetricSpec = {
  name: "done_total",
  help: "Done",
  type: "counter",
  scope: "mirror",
};
