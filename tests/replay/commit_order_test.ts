import assert from "node:assert/strict";
import { Writes } from "../../src/judge/mod.ts";
import { CommitOrder } from "../../src/replay/commit_order.ts";
import type { OrderedLane, Place, Turn } from "../../src/replay/place.ts";

const WRITES = new Writes();
WRITES.add({ writes: ["t"] });
/** Reads all of a relation. */
const reads = (...relations: string[]) => (writes: Writes) =>
  relations.some((name) => writes.touches(name, undefined, () => undefined));
const LANE = lane();

type TestLane = { -readonly [K in keyof OrderedLane]: OrderedLane[K] };

function lane(onWanted: () => void = () => {}): TestLane {
  return { heardUs: 0, expectedUs: 0, onWanted };
}

function writer(
  startUs: number,
  earliestUs: number,
  endUs: number,
  key = endUs,
  written: Place["written"] = "all",
): Place {
  return {
    startUs,
    earliestUs,
    endUs,
    key,
    writes: WRITES,
    written,
    refused: undefined,
    read: undefined,
  };
}

function turn(
  committedBeforeUs: number,
  completedBeforeUs: number,
  key: number,
  more: Partial<Turn> = {},
): Turn {
  return {
    committedBeforeUs,
    completedBeforeUs,
    refusedBeforeUs: 0,
    key,
    touched: "all",
    written: [],
    defines: false,
    ...more,
  };
}

/** It wrote nothing, and looked at relations at a moment. */
function observer(
  kind: "refused" | "read",
  atUs: number,
  touched: Place["written"],
): Place {
  const observation = { sentUs: atUs, completeUs: atUs, touched };
  return {
    ...writer(atUs, atUs, atUs, atUs, []),
    writes: undefined,
    [kind]: observation,
  };
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

Deno.test("CommitOrder: the last who is waited for hears of it, one that is left when that one is done", () => {
  const order = new CommitOrder();
  const wanted: string[] = [];
  const begin = (name: string, endUs: number) =>
    order.begin(writer(0, endUs, endUs), lane(() => wanted.push(name)));
  const first = begin("first", 10);
  const second = begin("second", 20);
  begin("third", 30);
  order.wait(LANE, turn(25, 0, 100), () => wanted.push("went"));
  assert.deepEqual(wanted, ["second"]);
  order.end(second);
  assert.deepEqual(wanted, ["second", "first"]);
  order.end(first);
  assert.deepEqual(wanted, ["second", "first", "went"]);
});

Deno.test("CommitOrder: a standstill is told by the silence of whom the chain of waits ends at", () => {
  const order = new CommitOrder();
  const ms = 1_000;
  const [end, middle, waits] = [lane(), lane(), lane()];
  const first = order.begin(writer(0, 1, 1, 1, ["t"]), end);
  order.begin(writer(0, 2, 2, 2, ["t"]), middle);
  order.wait(middle, turn(5, 0, 2, { touched: ["t"] }), () => {});
  order.wait(waits, turn(5, 0, 9, { touched: ["t"] }), () => {});
  const isStalled = (atMs: number, sinceMs = 0) =>
    order.isStalled(waits, atMs * ms, sinceMs * ms);
  assert.equal(isStalled(150), false);
  assert.equal(isStalled(250), true);
  assert.equal(isStalled(251, 200), false, "waits since 200");
  end.heardUs = 200 * ms;
  assert.equal(isStalled(252), false, "was heard of at 200");
  // One is under way that the primary took a second for.
  end.heardUs = 300 * ms;
  end.expectedUs = 2_300 * ms;
  assert.equal(isStalled(2_400), false);
  assert.equal(isStalled(2_600), true);
  assert.equal(order.overdueUs(waits, 2_601 * ms, 0), 301 * ms);
  // Elsewhere others are answered: that takes longer to be believed.
  const other = order.begin(writer(0, 3, 3, 3, ["u"]), lane());
  order.answered(other, 2_602 * ms);
  assert.equal(isStalled(2_603), false);
  assert.equal(isStalled(3_302), true);
  order.end(first);
  assert.equal(isStalled(3_303), true, "whoever was behind has gone");
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
  order.wait(lane(), turn(15, 0, 100), () => went.push("behind the first"));
  order.wait(lane(), turn(25, 0, 100), () => went.push("behind both"));
  order.wait(lane(), turn(25, 0, 100), () => went.push("taken back"))();
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
  assert.equal(order.overdueUs(other, 1_500, 0), 500, "and begins anew");
  assert.equal(order.giveUp(turn(15, 0, 20), 2_000), false, "once");
  order.end(second);
  assert.deepEqual(went, ["second", "third"]);
  assert.equal(order.overtake(turn(25, 0, 30)), true);
  assert.equal(first.overtaken, true);
  order.sent(first);
  assert.equal(order.hasGivenUp, false);
  assert.equal(order.isTurn(turn(25, 0, 30)), false);
});

Deno.test("CommitOrder: who meets no relation of a writer does not wait for it; who may meet any does", () => {
  const order = new CommitOrder();
  const begin = (endUs: number, written: Place["written"]) =>
    order.begin(writer(0, endUs, endUs, endUs, written), LANE);
  const isTurn = (touched: Turn["touched"]) =>
    order.isTurn(turn(50, 0, 100, { touched }));
  const report = begin(10, ["report"]);
  assert.equal(isTurn(["t", "u"]), true);
  assert.equal(isTurn(["t", "report"]), false);
  assert.equal(isTurn("all"), false);
  assert.equal(isTurn([]), true);
  const unknown = begin(20, "all");
  assert.equal(isTurn(["t"]), false);
  assert.equal(isTurn([]), true, "it sees nothing");
  order.end(unknown);
  assert.equal(isTurn(["t"]), true);
  order.end(report);
  assert.equal(isTurn("all"), true);
});

Deno.test("CommitOrder: a waiter looks again only when whom it waits for is done", () => {
  const order = new CommitOrder();
  const went: string[] = [];
  const begin = (endUs: number, relation: string) =>
    order.begin(writer(0, endUs, endUs, endUs, [relation]), lane());
  const [a, b] = [begin(10, "a"), begin(20, "b")];
  const wait = (...touched: string[]) =>
    order.wait(
      lane(),
      turn(50, 0, 100, { touched }),
      () => went.push(touched.join()),
    );
  wait("a");
  wait("a", "b");
  wait("b");
  assert.deepEqual([a.parked?.size, b.parked?.size], [1, 2]);
  order.end(b);
  assert.deepEqual(went, ["b"]);
  assert.equal(a.parked?.size, 2);
  order.end(a);
  assert.deepEqual(went, ["b", "a", "a,b"]);
});

Deno.test("CommitOrder: what was committed behind a refused statement waits for it where it writes what that looked at", () => {
  const order = new CommitOrder();
  const refused = order.begin(observer("refused", 10, ["t"]), LANE);
  const isTurn = (more: Partial<Turn>, key = 100) =>
    order.isTurn(turn(50, 50, key, { touched: ["t"], ...more }));
  const behind = { written: ["t"], refusedBeforeUs: 50 };
  assert.equal(isTurn(behind), false);
  assert.equal(isTurn({ ...behind, written: ["u"] }), true, "elsewhere");
  assert.equal(isTurn({ ...behind, written: "all" }), false);
  assert.equal(isTurn({ ...behind, refusedBeforeUs: 10 }), true, "before it");
  assert.equal(isTurn(behind, 10), true, "no smaller key");
  assert.equal(isTurn({}), true, "who reads need not wait");
  order.end(refused);
  assert.equal(isTurn(behind), true);
});

Deno.test("CommitOrder: a definition waits for reads that had completed before it was sent, and nobody else does", () => {
  const order = new CommitOrder();
  const read = order.begin(observer("read", 10, ["t"]), LANE);
  const isTurn = (sentUs: number, more: Partial<Turn>) =>
    order.isTurn(turn(0, sentUs, 100, { written: "all", ...more }));
  assert.equal(isTurn(11, { defines: true }), false);
  assert.equal(isTurn(10, { defines: true }), true, "it may have come first");
  assert.equal(isTurn(11, {}), true, "a writer of rows");
  order.end(read);
  assert.equal(isTurn(11, { defines: true }), true);
});
