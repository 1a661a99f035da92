import assert from "node:assert/strict";
import { EvidenceWindow } from "../../src/stats/mod.ts";
import { ANN, BOB, counted, replay } from "../plugins/fixture.ts";

const START = { since: 7, because: "of a test" };

Deno.test("EvidenceWindow: counters and histograms are since its begin, gauges are of now", () => {
  const all = counted();
  const window = new EvidenceWindow(1_000);
  const value = (name: string, user = ANN[2]) => {
    const snapshot = window.counted(all.registry.snapshot());
    return snapshot.get(name)?.series
      .find(({ labels }) => labels.user === user)?.value;
  };
  replay(all, ANN, { times: 3, errorsOnMirror: 1 });
  assert.equal(value("mirror_requests_total"), 3);
  assert.deepEqual(window.start, {
    since: 1_000,
    because: "the proxy was started",
  });
  window.begin(all.registry.snapshot(), START, 5_000);
  assert.deepEqual([window.start, window.beganMs], [START, 5_000]);
  assert.equal(value("mirror_requests_total"), 0);
  replay(all, ANN, { times: 2 });
  replay(all, BOB);
  assert.equal(value("mirror_requests_mirrored_total"), 2);
  assert.equal(value("mirror_requests_mirrored_total", BOB[2]), 1);
  assert.equal(value("mirror_replays_with_errors_total"), 0);
  assert.equal(value("mirror_lag_seconds"), 0.25);
  const lag = window.counted(all.registry.snapshot())
    .get("mirror_replay_lag_seconds")?.series[0];
  assert.equal(lag?.histogram?.count, 2);
  assert.equal(lag?.histogram?.sum, 0.5);
  // What is exported goes on.
  assert.equal(
    all.registry.snapshot().get("mirror_requests_total")?.series[0]
      ?.value,
    5,
  );
});

Deno.test("EvidenceWindow: what is pending when it begins is its own, so that its ledger closes", () => {
  const all = counted();
  const window = new EvidenceWindow(0);
  const series = all.series(ANN);
  replay(all, ANN, { times: 4 });
  all.proxy.requestSeen(series);
  all.proxy.requestSeen(series);
  window.begin(all.registry.snapshot(), START, 0);
  all.mirror.requestReplayed(series, 1, 1, 0, 0);
  const snapshot = window.counted(all.registry.snapshot());
  const value = (name: string) => snapshot.get(name)?.series[0]?.value;
  assert.equal(value("mirror_requests_total"), 2);
  assert.equal(value("mirror_requests_mirrored_total"), 1);
  assert.equal(value("mirror_pending_requests"), 1);
});

Deno.test("Registry.snapshot: a stripe's cells as its worker has copied them", () => {
  const all = counted();
  replay(all, ANN, { times: 4 });
  const layout = all.registry.freeze({ stripes: 2 });
  const copied = new Float64Array(all.mirrorCells);
  replay(all, ANN, { times: 3 });
  const snapshot = all.registry.snapshot({
    stripe: layout.stripes - 1,
    cells: copied,
  });
  const value = (name: string) => snapshot.get(name)?.series[0]?.value;
  assert.equal(value("mirror_requests_mirrored_total"), 4);
  // The proxy's stripe is as it is now.
  assert.equal(value("mirror_requests_total"), 7);
});

Deno.test("EvidenceWindow: hours with traffic are its own, behind those of earlier runs", () => {
  const all = counted();
  const window = new EvidenceWindow(0);
  const pair = `${ANN[0]}/${ANN[1]}`;
  const look = (minutes: number) =>
    window.sample(all.registry.snapshot(), minutes * 60_000);
  const hours = () =>
    window.hours(pair).map(({ elapsedMs, replayed }) => [
      elapsedMs / 60_000,
      replayed,
    ]);
  look(0);
  replay(all, ANN, { times: 3 });
  replay(all, BOB, { times: 2 });
  look(59);
  replay(all, ANN);
  look(61);
  assert.deepEqual(hours(), [[60, 5], [1, 1]]);
  const earlier = [{ elapsedMs: 60_000, replayed: 9 }];
  window.continue(START, new Map([[pair, earlier]]));
  assert.deepEqual(hours(), [[1, 9], [60, 5], [1, 1]]);
  const ended = window.endedHours();
  window.begin(all.registry.snapshot(), START, 70 * 60_000);
  assert.deepEqual(hours(), []);
  assert.equal(ended(pair).length, 2);
  replay(all, ANN, { times: 2 });
  look(80);
  assert.deepEqual(hours(), [[10, 2]]);
});

Deno.test("EvidenceWindow: what a late worker counted meanwhile is taken off", () => {
  const all = counted();
  const window = new EvidenceWindow(0);
  const value = () =>
    window.counted(all.registry.snapshot()).get("mirror_requests_total")
      ?.series[0]?.value;
  replay(all, ANN, { times: 3 });
  window.begin(all.registry.snapshot(), START, 0);
  replay(all, ANN, { times: 2 });
  assert.equal(value(), 2);
  window.beginLater(all.registry.snapshot());
  assert.equal(value(), 0);
  assert.deepEqual(window.start, START);
});
