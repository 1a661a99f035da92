import assert from "node:assert/strict";
import { CommitOrder, type Turn } from "../../src/mirror/commit_order.ts";

const RELATION = new Set(["t"]);

function writer(
  startUs: number,
  earliestUs: number,
  endUs: number,
  key = endUs,
) {
  return { startUs, earliestUs, endUs, key, relations: RELATION };
}

function turn(
  committedBeforeUs: number,
  completedBeforeUs: number,
  key: number,
): Turn {
  return { committedBeforeUs, completedBeforeUs, key };
}

Deno.test("CommitOrder: a writing statement waits for who may have committed before it completed", () => {
  const order = new CommitOrder();
  const first = order.begin(writer(0, 10, 30, 10));
  // It completed at 20: the first may have committed at 10 already.
  assert.equal(order.isTurn(turn(20, 0, 50), Infinity), false);
  // It completed at 9: the first can't have been before it.
  assert.equal(order.isTurn(turn(9, 0, 50), Infinity), true);
  order.end(first);
  assert.equal(order.isTurn(turn(20, 0, 50), Infinity), true);
});

Deno.test("CommitOrder: a reading statement waits for who had completed before it was sent", () => {
  const order = new CommitOrder();
  order.begin(writer(0, 10, 30));
  assert.equal(order.isTurn(turn(0, 31, Infinity), Infinity), false);
  assert.equal(order.isTurn(turn(0, 30, Infinity), Infinity), true);
});

Deno.test("CommitOrder: nobody waits for a greater key, so no two wait for each other", () => {
  const order = new CommitOrder();
  const a = order.begin(writer(0, 5, 40, 5));
  const b = order.begin(writer(0, 6, 41, 6));
  // Both may have committed before the other's statement completed.
  assert.equal(order.isTurn(turn(100, 0, a.key), Infinity), true);
  assert.equal(order.isTurn(turn(100, 0, b.key), Infinity), false);
});

Deno.test("CommitOrder: records that come in late take their place by key", () => {
  const order = new CommitOrder();
  order.begin(writer(0, 20, 20));
  const early = order.begin(writer(0, 10, 10));
  assert.equal(order.isTurn(turn(15, 0, 20), Infinity), false);
  order.end(early);
  assert.equal(order.isTurn(turn(15, 0, 20), Infinity), true);
});

Deno.test("CommitOrder: who has begun on the mirror waits for no late record: it may hold the lock that one needs", () => {
  const order = new CommitOrder();
  order.begin(writer(0, 20, 20));
  const known = order.arrivals;
  const late = order.begin(writer(0, 10, 10));
  assert.equal(order.isTurn(turn(15, 0, 20), Infinity), false);
  assert.equal(order.isTurn(turn(15, 0, 20), known), true);
  const went: string[] = [];
  const early = order.begin(writer(0, 5, 5));
  order.wait(turn(15, 0, 20), order.arrivals - 1, () => went.push("on"));
  assert.deepEqual(went, []);
  order.end(late);
  assert.deepEqual(went, ["on"], "although the last one to come is open");
  order.end(early);
});

Deno.test("CommitOrder: who waits goes on as soon as it may, once, and not if it was taken back", () => {
  const order = new CommitOrder();
  const first = order.begin(writer(0, 10, 10));
  const second = order.begin(writer(0, 20, 20));
  const went: string[] = [];
  order.wait(turn(15, 0, 100), Infinity, () => went.push("behind the first"));
  order.wait(turn(25, 0, 100), Infinity, () => went.push("behind both"));
  order.wait(turn(25, 0, 100), Infinity, () => went.push("taken back"))();
  order.end(second);
  assert.deepEqual(went, []);
  order.end(first);
  order.end(first);
  assert.deepEqual(went, ["behind the first", "behind both"]);
});

Deno.test("CommitOrder.mayDiffer: only a writer of what is read, that overlapped or ran ahead on the mirror", () => {
  const order = new CommitOrder();
  const other = order.begin(writer(100, 120, 130));
  const ask = (
    reads: string[],
    startUs: number,
    endUs: number,
    mirrorEndUs: number,
  ) => order.mayDiffer(reads, startUs, endUs, mirrorEndUs, undefined);
  assert.equal(ask(["t"], 110, 115, 0), true, "overlapped on the primary");
  assert.equal(ask(["u"], 110, 115, 0), false, "another relation");
  assert.equal(ask(["t"], 131, 140, 0), false, "completed before it was sent");
  assert.equal(ask(["t"], 10, 20, 1_000), false, "later on both");
  other.mirrorStartUs = 900;
  assert.equal(ask(["t"], 10, 20, 1_000), true, "ran ahead on the mirror");
  assert.equal(order.mayDiffer(["t"], 110, 115, 0, other), false, "its own");
});
