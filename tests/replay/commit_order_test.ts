import assert from "node:assert/strict";
import { Writes } from "../../src/judge/mod.ts";
import {
  CommitOrder,
  type OrderedLane,
  type Turn,
} from "../../src/replay/commit_order.ts";

const WRITES = new Writes();
WRITES.add({ writes: ["t"] });
/** Reads all of a relation. */
const reads = (...relations: string[]) => (writes: Writes) =>
  relations.some((name) => writes.touches(name, undefined, () => undefined));
const LANE = lane();

function lane(onWanted: () => void = () => {}): OrderedLane {
  return { onWanted };
}

function writer(
  startUs: number,
  earliestUs: number,
  endUs: number,
  key = endUs,
) {
  return { startUs, earliestUs, endUs, key, writes: WRITES };
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
  const first = order.begin(writer(0, 10, 30, 10), LANE);
  // It completed at 20: the first may have committed at 10 already.
  assert.equal(order.isTurn(turn(20, 0, 50)), false);
  // It completed at 9: the first can't have been before it.
  assert.equal(order.isTurn(turn(9, 0, 50)), true);
  order.end(first);
  assert.equal(order.isTurn(turn(20, 0, 50)), true);
});

Deno.test("CommitOrder: a writer that is done is remembered without its lane", () => {
  const order = new CommitOrder();
  const done = order.begin(writer(0, 10, 30), LANE);
  assert.ok(done.lane);
  order.end(done);
  assert.equal(done.lane, undefined);
  assert.ok(order.mayDiffer(reads("t"), 0, 30, 30, undefined));
});

Deno.test("CommitOrder: a reading statement waits for who had completed before it was sent", () => {
  const order = new CommitOrder();
  order.begin(writer(0, 10, 30), LANE);
  assert.equal(order.isTurn(turn(0, 31, Infinity)), false);
  assert.equal(order.isTurn(turn(0, 30, Infinity)), true);
});

Deno.test("CommitOrder: nobody waits for a greater key, so no two wait for each other", () => {
  const order = new CommitOrder();
  const a = order.begin(writer(0, 5, 40, 5), LANE);
  const b = order.begin(writer(0, 6, 41, 6), LANE);
  // Both may have committed before the other's statement completed.
  assert.equal(order.isTurn(turn(100, 0, a.key)), true);
  assert.equal(order.isTurn(turn(100, 0, b.key)), false);
});

Deno.test("CommitOrder: records that come in late take their place by key", () => {
  const order = new CommitOrder();
  order.begin(writer(0, 20, 20), LANE);
  const early = order.begin(writer(0, 10, 10), LANE);
  assert.equal(order.isTurn(turn(15, 0, 20)), false);
  order.end(early);
  assert.equal(order.isTurn(turn(15, 0, 20)), true);
});

Deno.test("CommitOrder: the first who is waited for hears of it, the next when that one is done", () => {
  const order = new CommitOrder();
  const wanted: string[] = [];
  const begin = (name: string, endUs: number) =>
    order.begin(writer(0, endUs, endUs), lane(() => wanted.push(name)));
  const first = begin("first", 10);
  const second = begin("second", 20);
  begin("third", 30);
  order.wait(LANE, turn(25, 0, 100), () => wanted.push("went"));
  assert.deepEqual(wanted, ["first"]);
  order.end(first);
  assert.deepEqual(wanted, ["first", "second"]);
  order.end(second);
  assert.deepEqual(wanted, ["first", "second", "went"]);
});

Deno.test("CommitOrder: a standstill is told by time without an answer, beyond what the primary took", () => {
  const order = new CommitOrder();
  const ms = 1_000;
  assert.equal(order.isStalled(150 * ms, 0), false);
  assert.equal(order.isStalled(250 * ms, 0), true);
  assert.equal(order.isStalled(250 * ms, 200 * ms), false, "waits since 200");
  const [quick, slow] = [1, 2].map((n) => order.begin(writer(0, n, n), LANE));
  assert.ok(quick && slow);
  order.answered(quick, 200 * ms);
  assert.equal(order.isStalled(250 * ms, 0), false, "one was answered");
  // One is under way that the primary took a second for.
  order.sent(slow, 300 * ms, 1_000 * ms);
  order.sent(quick, 300 * ms, 1 * ms);
  order.answered(quick, 301 * ms);
  assert.equal(order.isStalled(2_400 * ms, 0), false);
  assert.equal(order.isStalled(2_600 * ms, 0), true);
  assert.equal(order.overdueUs(2_600 * ms, 0), 300 * ms);
  order.answered(slow, 310 * ms);
  assert.equal(order.isStalled(500 * ms, 0), false);
  assert.equal(order.isStalled(520 * ms, 0), true, "it was faster here");
});

Deno.test("CommitOrder: rows of who was overtaken may differ from then on", () => {
  const order = new CommitOrder();
  const ask = () => order.mayDiffer(reads("t"), 500, 600, 1_000, undefined);
  order.begin(writer(0, 10, 10), LANE);
  order.begin(writer(0, 90, 90), LANE);
  assert.equal(ask(), false, "both completed before it was sent");
  order.overtake(turn(15, 0, 80));
  assert.equal(ask(), true);
});

Deno.test("CommitOrder: who waits goes on as soon as it may, once, and not if it was taken back", () => {
  const order = new CommitOrder();
  const first = order.begin(writer(0, 10, 10), LANE);
  const second = order.begin(writer(0, 20, 20), LANE);
  const went: string[] = [];
  order.wait(LANE, turn(15, 0, 100), () => went.push("behind the first"));
  order.wait(LANE, turn(25, 0, 100), () => went.push("behind both"));
  order.wait(LANE, turn(25, 0, 100), () => went.push("taken back"))();
  order.end(second);
  assert.deepEqual(went, []);
  order.end(first);
  order.end(first);
  assert.deepEqual(went, ["behind the first", "behind both"]);
});

Deno.test("CommitOrder.mayDiffer: only a writer of what is read, that overlapped or ran ahead on the mirror", () => {
  const order = new CommitOrder();
  const other = order.begin(writer(100, 120, 130), LANE);
  const ask = (
    relations: string[],
    startUs: number,
    endUs: number,
    mirrorEndUs: number,
  ) =>
    order.mayDiffer(
      reads(...relations),
      startUs,
      endUs,
      mirrorEndUs,
      undefined,
    );
  assert.equal(ask(["t"], 110, 115, 0), true, "overlapped on the primary");
  assert.equal(ask(["u"], 110, 115, 0), false, "another relation");
  assert.equal(ask(["t"], 131, 140, 0), false, "completed before it was sent");
  assert.equal(ask(["t"], 10, 20, 1_000), false, "later on both");
  other.mirrorStartUs = 900;
  assert.equal(ask(["t"], 10, 20, 1_000), true, "ran ahead on the mirror");
  assert.equal(
    order.mayDiffer(reads("t"), 110, 115, 0, other),
    false,
    "its own",
  );
});

Deno.test("CommitOrder: a lane that was waited for in vain is not waited for until it goes on", () => {
  const order = new CommitOrder();
  const went: string[] = [];
  const [stuck, behind, other] = [lane(), lane(), lane()];
  const first = order.begin(writer(0, 10, 10), stuck);
  const second = order.begin(writer(0, 20, 20), behind);
  order.wait(behind, turn(15, 0, 20), () => went.push("second"));
  order.wait(other, turn(25, 0, 30), () => went.push("third"));
  assert.equal(order.giveUp(turn(25, 0, 30), 1_000), true);
  assert.deepEqual(went, ["second"], "the third waits for the second");
  assert.equal(order.overdueUs(1_500, 0), 500, "and begins to wait anew");
  assert.equal(order.giveUp(turn(15, 0, 20), 2_000), false, "once");
  order.end(second);
  assert.deepEqual(went, ["second", "third"]);
  assert.equal(order.overtake(turn(25, 0, 30)), true);
  assert.equal(first.overtaken, true);
  order.sent(first, 3_000, 0);
  assert.equal(order.hasGivenUp, false);
  assert.equal(order.isTurn(turn(25, 0, 30)), false);
});
