/// <reference lib="deno.worker" />
import { type StatsLayout, Stripe } from "../../src/stats/mod.ts";

interface Init {
  readonly layout: StatsLayout;
  readonly base: number;
  readonly stop: Int32Array;
}

/** Counts a total and its part, over and over, as fast as it can. */
self.onmessage = ({ data }: MessageEvent<Init>) => {
  const { layout, base, stop } = data;
  const stripe = new Stripe(layout, 0);
  const { cells } = stripe;
  const seen = base + stripe.offset("seen_total");
  const done = base + stripe.offset("done_total");
  self.postMessage("counting");
  while (Atomics.load(stop, 0) === 0) {
    for (let i = 0; i < 1_000; i++) {
      (cells[seen] as number)++;
      stripe.fence();
      (cells[done] as number)++;
    }
  }
};
