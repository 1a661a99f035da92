import assert from "node:assert/strict";
import { getHeapStatistics } from "node:v8";
import { loadModule } from "libpg-query";
import { CommitOrder } from "../../src/replay/commit_order.ts";
import { takeWhole } from "../../src/record/piece.ts";
import { planTransaction } from "../../src/replay/plan.ts";
import { SessionStatements } from "../../src/replay/session_statements.ts";
import { BufferPool } from "../../src/proxy/buffer_pool.ts";
import { Capture } from "../../src/proxy/capture.ts";
import {
  BOUNDS,
  createRing,
  CYCLE_WORDS,
  QueueBudget,
  RECORD_FRAGMENT,
  RECORD_KIND_MASK,
  RingConsumer,
  RingProducer,
  Stream,
} from "../../src/record/mod.ts";
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
function queued(
  sql: string,
  count: number,
  cycles: number,
  shapes: ShapeCache,
) {
  const statements = new SessionStatements(shapes);
  statements.tellsWritten = false;
  const order = new CommitOrder();
  const lane = { heardUs: 0, expectedUs: 0, onWanted() {} };
  const session = new TappedSession(shapes);
  return Array.from({ length: count }, () => {
    for (let i = 1; i <= cycles; i++) {
      session.client(query(sql));
      session.server(concat([DONE, i === cycles ? READY : IN_BLOCK]));
    }
    const transaction = session.transactions.pop();
    assert.ok(transaction !== undefined);
    const plan = planTransaction(transaction, statements);
    const ordered = plan.place && order.begin(plan.place, lane);
    return { transaction, plan, ordered };
  });
}

Deno.test("Stream: a transaction takes of the queue's bound about what it weighs, small or of many cycles", async () => {
  await loadModule();
  const shapes = new ShapeCache(10);
  for (
    const [sql, count, cycles] of [
      ["update t set a = 1", 5_000, 1],
      ["update t set a = 1", 1_000, 7],
      ["update t set a = 1", 8, 2_500],
      ["insert into t (id, a) values (15, 3)", 5_000, 1],
      ["insert into t (id, a) values (15, 3)", 1_000, 7],
      ["insert into t (id, a) values (15, 3)", 8, 2_500],
    ] as const
  ) {
    const before = await usedBytes();
    const entries = queued(sql, count, cycles, shapes);
    const size = entries.reduce((sum, e) => sum + e.transaction.size, 0);
    const real = await usedBytes() - before;
    assert.ok(
      size > 0.5 * real && size < 1.5 * real,
      `${count} of ${cycles} cycles: ${size} counted, ${real} used`,
    );
    entries.length = 0;
  }
});

Deno.test("Stream: a transaction of a client that is far ahead holds its own bytes only", () => {
  const memory = createRing(BOUNDS.ringBytes);
  const consumer = new RingConsumer(memory);
  const capture = new Capture(
    new RingProducer(memory),
    new BufferPool(BOUNDS.smallBufferBytes, BOUNDS.largeBufferBytes),
    1,
    "",
    { targets: [1], mode: "rows", compareBytes: 0 },
  );
  const budget = new QueueBudget(BOUNDS.ringBytes);
  const texts: string[] = [];
  const stream = new Stream(
    {
      createLooker: () => assert.fail(),
      onTransaction({ bytes, size }) {
        assert.ok(bytes.buffer.byteLength <= size);
        texts.push(new TextDecoder().decode(bytes));
      },
      onDiscarded: () => assert.fail(),
      onStateLost: () => assert.fail(),
      onShed: () => assert.fail(),
    },
    budget,
    { mode: "rows", bytes: 0 },
  );
  const drain = () => {
    for (let at = consumer.next(); at >= 0; at = consumer.next()) {
      const kind = (consumer.words[at >> 2] as number) & RECORD_KIND_MASK;
      if (kind === RECORD_FRAGMENT) stream.fragment(consumer, at);
      consumer.release();
      stream.check();
    }
  };
  const queries = Array.from(
    { length: 9_000 },
    (_, i) => query(`select ${i} -- ${"x".repeat(i % 200)}`),
  );
  for (const bytes of queries) assert.ok(capture.append(bytes, bytes.length));
  drain();
  assert.ok(budget.bytes > 3 * BOUNDS.fragmentBytes);
  let end = 0;
  for (const { length } of queries) {
    end += length;
    assert.ok(capture.addCycle(length, 0, 0, 0, 0));
    assert.ok(capture.finish(end, 0, 0, false));
    drain();
  }
  assert.deepEqual(
    texts,
    queries.map((bytes) => new TextDecoder().decode(bytes)),
  );
  assert.equal(budget.bytes, 0);
});

Deno.test("takeWhole: what is ahead is not copied", () => {
  const noWords = new Uint32Array(0);
  const noBytes = new Uint8Array(0);
  const cycles = new Uint32Array(CYCLE_WORDS).fill(5, 0, 1);
  const [first, second] = [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5, 6)];
  const pieces = [first, second].map((bytes) => ({
    cycles: noWords,
    statements: noWords,
    answers: noBytes,
    bytes,
  }));
  const last = {
    cycles,
    statements: noWords,
    answers: noBytes,
    bytes: noBytes,
  };
  const { whole, ahead } = takeWhole([...pieces, last]);
  assert.deepEqual(whole.bytes, Uint8Array.of(1, 2, 3, 4, 5));
  assert.deepEqual(ahead.map(({ bytes }) => bytes), [Uint8Array.of(6)]);
  assert.equal(ahead[0]?.bytes.buffer, second?.buffer);
});
