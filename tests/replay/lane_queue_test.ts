import assert from "node:assert/strict";
import {
  LaneQueue,
  type QueuedTransaction,
} from "../../src/replay/lane_queue.ts";
import { QueueBudget } from "../../src/record/mod.ts";
import type { Target } from "../../src/replay/target.ts";
import { collected } from "../support/collected.ts";

/** As much of a target as a queue asks for. */
const target = {
  budget: new QueueBudget(1),
  queued: new Map<number, number>(),
  probes: { queue() {} },
} as unknown as Target;

function entry(number: number): QueuedTransaction {
  const transaction = { startUs: number } as QueuedTransaction["transaction"];
  return { transaction, plan: undefined, ordered: undefined };
}

Deno.test("lane queue: first in, first out, also where it is never empty", () => {
  const queue = new LaneQueue(target, 0);
  const out: (number | undefined)[] = [];
  for (let i = 0; i < 100; i++) {
    queue.push(entry(i));
    if (i % 3 !== 0) out.push(queue.shift()?.transaction.startUs);
    assert.deepEqual(
      queue.waiting().map(({ transaction }) => transaction.startUs),
      Array.from({ length: queue.length }, (_, at) => out.length + at),
    );
  }
  while (queue.length > 0) out.push(queue.shift()?.transaction.startUs);
  assert.deepEqual(out, Array.from({ length: 100 }, (_, i) => i));
  assert.equal(queue.shift(), undefined);
});

Deno.test("lane queue: what has left is let go of, though the queue is never empty", async () => {
  const queue = new LaneQueue(target, 0);
  const left: WeakRef<QueuedTransaction>[] = [];
  const run = () => {
    for (let i = 0; i < 10; i++) queue.push(entry(i));
    for (let i = 10; i < 1_000; i++) {
      queue.push(entry(i));
      left.push(new WeakRef(queue.shift() as QueuedTransaction)); // it holds ten
    }
  };
  run();
  await collected();
  const kept = left.filter((reference) => reference.deref() !== undefined);
  assert.equal(queue.length, 10);
  assert.ok(kept.length <= 10, `${kept.length} of ${left.length} are kept`);
});

Deno.test("lane queue: what has left is let go of at once: its bytes are no longer in the budget", async () => {
  const queue = new LaneQueue(target, 0);
  const left: WeakRef<QueuedTransaction>[] = [];
  const run = () => {
    for (let i = 0; i < 100; i++) queue.push(entry(i));
    for (let i = 0; i < 40; i++) {
      left.push(new WeakRef(queue.shift() as QueuedTransaction)); // it holds a hundred
    }
  };
  run();
  await collected();
  assert.equal(queue.length, 60);
  const kept = left.filter((reference) => reference.deref() !== undefined);
  assert.equal(kept.length, 0);
});
