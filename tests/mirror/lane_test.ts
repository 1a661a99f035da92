import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { Breaker } from "../../src/mirror/breaker.ts";
import { CommitOrder } from "../../src/mirror/commit_order.ts";
import { Lane } from "../../src/mirror/lane.ts";
import { QueueBudget, type Target } from "../../src/mirror/target.ts";
import { ShapeCache } from "../../src/sql/shape_cache.ts";
import { Dropped } from "../../src/stats/ledger.ts";
import { TappedSession } from "../support/tapped_session.ts";
import { concat, message, query } from "../support/wire_client.ts";

Deno.test("Lane: what is submitted after it has closed is dropped, not kept for ever", async () => {
  await loadModule();
  const shapes = new ShapeCache(10);
  const session = new TappedSession(shapes);
  session.client(query("update t set a = 1"));
  session.server(concat([message("C", "UPDATE 1\0"), message("Z", "I")]));
  const dropped: number[] = [];
  /** As much of a target as a lane asks for that never connects. */
  const target = {
    settings: { level: "all", exposure: 1, paused: false, queueLength: 10 },
    removed: false,
    breaker: new Breaker(),
    budget: new QueueBudget(1_000_000),
    queued: new Map(),
    order: new CommitOrder(),
    columns: new Map(),
    waiting: new Set(),
    timed: new Set(),
    reactor: { cancel() {} },
    probes: {
      queue() {},
      requestDropped: (_: number, reason: number) => dropped.push(reason),
    },
    shapes,
  } as unknown as Target;
  let closed = 0;
  const lane = new Lane(target, 0, 1, "", () => closed++);
  lane.leave();
  assert.equal(closed, 1);
  for (const transaction of session.transactions) lane.submit(transaction);
  assert.deepEqual(dropped, [Dropped.shutdown]);
  assert.equal(target.budget.bytes, 0);
  assert.equal(closed, 1);
});
