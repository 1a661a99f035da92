/// <reference lib="deno.worker" />
import { type StatsLayout, Stripe } from "../../src/stats/mod.ts";

interface Init {
  readonly layout: StatsLayout;
  readonly stripe: number;
  readonly users: number;
  readonly start: Int32Array;
}

/** Makes series at the same time as other workers, labels that they make too and labels of its own, and counts one in each. */
self.onmessage = ({ data }: MessageEvent<Init>) => {
  const { layout, users, start } = data;
  const stripe = new Stripe(layout, data.stripe);
  const offset = stripe.offset("seen_total");
  self.postMessage(0);
  while (Atomics.load(start, 0) === 0);
  for (let i = 0; i < users; i++) {
    for (const user of [`user${i}`, `user${i} of ${data.stripe}`]) {
      const base = stripe.series(["shop", "new", user]);
      (stripe.cells[base + offset] as number)++;
    }
  }
  self.postMessage(1);
};
