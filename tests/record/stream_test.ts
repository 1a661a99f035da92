import assert from "node:assert/strict";
import { getHeapStatistics } from "node:v8";
import { loadModule } from "libpg-query";
import { CommitOrder } from "../../src/replay/commit_order.ts";
import { planTransaction } from "../../src/replay/plan.ts";
import { SessionStatements } from "../../src/replay/session_statements.ts";
import { ShapeCache } from "../../src/sql/shape_cache.ts";
import { collected } from "../support/collected.ts";
import { TappedSession } from "../support/tapped_session.ts";
import { concat, message, query } from "../support/wire_client.ts";

/** Bytes on the heap and outside of it, garbage aside. */
async function usedBytes(): Promise<number> {
  // What the first frees may hold more.
  for (let i = 0; i < 2; i++) await collected();
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}

const DONE = message("C", "UPDATE 1\0");
const READY = message("Z", "I");
const IN_BLOCK = message("Z", "T");

/** Transactions as a lane's queue holds them, so many of so many cycles. */
function queued(count: number, cycles: number, shapes: ShapeCache) {
  const statements = new SessionStatements(shapes);
  const order = new CommitOrder();
  const lane = { onWanted() {} };
  const session = new TappedSession(shapes);
  return Array.from({ length: count }, () => {
    for (let i = 1; i <= cycles; i++) {
      session.client(query("update t set a = 1"));
      session.server(concat([DONE, i === cycles ? READY : IN_BLOCK]));
    }
    const transaction = session.transactions.pop();
    assert.ok(transaction !== undefined);
    const plan = planTransaction(transaction, statements);
    const writer = plan.writer && order.begin(plan.writer, lane);
    return { transaction, plan, writer };
  });
}

Deno.test("Stream: a transaction takes of the queue's bound about what it weighs, small or of many cycles", async () => {
  await loadModule();
  const shapes = new ShapeCache(10);
  for (
    const [count, cycles] of [[5_000, 1], [1_000, 7], [8, 5_000]] as const
  ) {
    const before = await usedBytes();
    const entries = queued(count, cycles, shapes);
    const size = entries.reduce((sum, e) => sum + e.transaction.size, 0);
    const real = await usedBytes() - before;
    assert.ok(
      size > 0.7 * real && size < 1.5 * real,
      `${count} of ${cycles} cycles: ${size} counted, ${real} used`,
    );
    entries.length = 0;
  }
});
