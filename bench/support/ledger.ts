import createProbe from "../../plugins/mirror_stats/probe.ts";
import { METRICS } from "../../plugins/mirror_stats/metrics.ts";
import { ProbeSet } from "../../src/plugin/mod.ts";
import { Registry, Stripe } from "../../src/stats/mod.ts";

/** What counts the ledger in a worker. The series at 0 is the only one. */
export function ledgerProbes(role: "proxy" | "mirror" = "proxy"): ProbeSet {
  const registry = new Registry();
  for (const spec of METRICS) registry.declare(spec);
  const stripe = new Stripe(registry.freeze({ stripes: 1 }), 0);
  stripe.series(["shop", "shop_18", "ann"]);
  const probe = createProbe({ role, stripe });
  return new ProbeSet([{ module: "mirror_stats", probe }], () => {});
}
