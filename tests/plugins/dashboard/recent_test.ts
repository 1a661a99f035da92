import assert from "node:assert/strict";
import { Recent } from "../../../plugins/dashboard/recent.ts";
import { ANN, BOB, counted, replay } from "../fixture.ts";

const SHOP = { database: "shop", mirror: "shop_18" };

/** A recorder whose clock is the caller's. */
function recorded() {
  const all = counted();
  const recent = new Recent();
  let at = 1_000_000;
  return {
    all,
    recent,
    sample() {
      at += 1_000;
      recent.sample({ ...all.registry.snapshot(), at }, [SHOP]);
    },
    last() {
      const columns = recent.columns(SHOP, 0);
      return Object.fromEntries(
        Object.entries(columns).map(([name, values]) => [name, values.at(-1)]),
      );
    },
  };
}

Deno.test("Recent: a point is of the last five seconds, over all users", () => {
  const { all, sample, last } = recorded();
  replay(all, ANN, { times: 100, latencySeconds: 5 });
  sample();
  replay(all, ANN, { times: 10, latencySeconds: 0.02 });
  replay(all, BOB, { times: 10, latencySeconds: 0.02 });
  sample();
  const point = last();
  assert.equal(point.seenPerSecond, 20);
  assert.equal(point.replayedPerSecond, 20);
  assert.equal(point.lagSeconds, 0.25);
  // The buckets are 5 to 10 and 10 to 25 ms; what came before is not in it.
  assert.ok(point.primaryP99Ms !== undefined && point.primaryP99Ms !== null);
  assert.ok(point.primaryP99Ms > 5 && point.primaryP99Ms <= 10);
  assert.ok(Number(point.mirrorP50Ms) > 10 && Number(point.mirrorP50Ms) <= 25);
  for (let i = 0; i < 3; i++) sample();
  assert.equal(last().seenPerSecond, 5, "20 within four seconds");
  sample();
  sample();
  assert.equal(last().seenPerSecond, 0);
});

Deno.test("Recent: without traffic a point has no time, rather than 0", () => {
  const { all, sample, last } = recorded();
  replay(all, ANN, { times: 5 });
  sample();
  for (let i = 0; i < 6; i++) sample();
  const point = last();
  assert.equal(point.primaryP50Ms, null);
  assert.equal(point.mirrorP99Ms, null);
  assert.equal(point.lagSeconds, null);
  assert.equal(point.seenPerSecond, 0);
  assert.equal(point.pending, 0);
});

Deno.test("Recent: keeps 15 minutes and no more", () => {
  const { recent, sample } = recorded();
  for (let i = 0; i < 1_000; i++) sample();
  assert.equal(recent.columns(SHOP, 0).at.length, 900);
});
