import assert from "node:assert/strict";
import { directoryViews, labelOffset } from "../../src/stats/layout.ts";
import { Stripe } from "../../src/stats/mod.ts";
import { count, frozen, SEEN, seriesOf } from "./fixture.ts";

const WRITING = 1;
const PUBLISHED = 2;

Deno.test("Directory: a worker that died while it wrote costs one position, nobody waits for it", () => {
  const { registry, layout, stripe } = frozen([SEEN], { maxSeries: 3 });
  directoryViews(layout).states[1] = WRITING;
  count(stripe, "seen_total", stripe.series(["shop", "new", "ann"]));
  count(stripe, "seen_total", stripe.series(["shop", "new", "bob"]));
  assert.deepEqual(seriesOf(registry, "seen_total"), [
    "other/other/other=1",
    "shop/new/ann=1",
  ]);
});

Deno.test("Directory: labels that took two positions are one series", () => {
  const { registry, layout, stripe } = frozen([SEEN]);
  const first = stripe.series(["shop", "new", "ann"]);
  const second = stripe.series(["shop", "new", "bob"]);
  count(stripe, "seen_total", first, 1);
  count(stripe, "seen_total", second, 10);
  // As if the second position had been taken by another worker in the same moment.
  const { labels, states } = directoryViews(layout);
  labels.copyWithin(labelOffset(2, 0), labelOffset(1, 0), labelOffset(2, 0));
  assert.deepEqual([...states.subarray(0, 4)], [
    PUBLISHED,
    PUBLISHED,
    PUBLISHED,
    0,
  ]);
  assert.deepEqual(seriesOf(registry, "seen_total"), ["shop/new/ann=11"]);
  const another = new Stripe(layout, 0);
  assert.equal(another.series(["shop", "new", "ann"]), first);
});
