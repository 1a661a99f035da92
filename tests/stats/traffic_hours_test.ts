import assert from "node:assert/strict";
import {
  activeMs,
  observedMs,
  type TrafficHour,
  TrafficHours,
} from "../../src/stats/mod.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const hour = (replayed: number | null, elapsedMs = HOUR): TrafficHour => ({
  elapsedMs,
  replayed,
});
const hours = (count: number, replayed: number) =>
  Array.from({ length: count }, () => hour(replayed));

const CASES: readonly (readonly [
  what: string,
  hours: readonly TrafficHour[],
  active: number,
])[] = [
  ["nothing was observed", [], 0],
  ["no traffic", hours(24, 0), 0],
  ["steady traffic", hours(24, 100), 24 * HOUR],
  ["a trickle is usual where there is never more", hours(24, 1), 24 * HOUR],
  ["24 idle hours and a busy one", [...hours(24, 0), hour(5_000)], HOUR],
  ["a paused hour", [...hours(10, 100), hour(0), hour(100)], 11 * HOUR],
  // 1,007 requests in the 11 hours that had any: a tenth of the rate is 9.15.
  [
    "idle hours do not make the usual rate lower",
    [...hours(9, 110), hour(9), hour(8), ...hours(13, 0)],
    9 * HOUR,
  ],
  ["exactly a tenth", [hour(190), hour(10)], 2 * HOUR],
  ["less than a tenth", [hour(191), hour(9)], HOUR],
  [
    "an hour that has not ended counts by what has passed",
    [hour(600), hour(100, 10 * MINUTE)],
    HOUR + 10 * MINUTE,
  ],
  [
    "its rate counts, not its count",
    [hour(600), hour(5, 10 * MINUTE)],
    HOUR,
  ],
  ["what an old history observed counts, once", [
    hour(null, 5 * HOUR),
    hour(0),
    hour(7),
  ], 6 * HOUR],
];
for (const [what, of, active] of CASES) {
  Deno.test(`activeMs: ${what}`, () => {
    assert.equal(activeMs(of), active);
    assert.ok(activeMs(of) <= observedMs(of));
  });
}

Deno.test("TrafficHours: time is cut into hours, each with what was replayed in it", () => {
  const tracked = new TrafficHours();
  const look = (ms: number, a: number, b: number) =>
    tracked.look(ms, new Map([["a", a], ["b", b]]));
  assert.deepEqual(tracked.of("a"), []);
  look(0, 0, 0);
  look(10 * MINUTE, 5, 0);
  assert.deepEqual(tracked.of("a"), [hour(5, 10 * MINUTE)]);
  look(HOUR, 9, 0);
  assert.deepEqual(tracked.of("a"), [hour(9)]);
  look(HOUR + MINUTE, 9, 3);
  assert.deepEqual(tracked.of("a"), [hour(9), hour(0, MINUTE)]);
  assert.deepEqual(tracked.of("b"), [hour(0), hour(3, MINUTE)]);
  // The machine slept, by a clock that went on.
  look(4 * HOUR + MINUTE, 20, 3);
  assert.deepEqual(
    tracked.of("a").map(({ replayed }) => replayed),
    [9, 0, 0, 0, 11],
  );
  assert.deepEqual(
    tracked.of("never seen"),
    [...hours(4, 0), hour(0, MINUTE)],
  );
  assert.equal(observedMs(tracked.of("b")), 4 * HOUR + MINUTE);
});

Deno.test("TrafficHours: ten busy minutes in 24 idle hours are an hour", () => {
  const tracked = new TrafficHours();
  for (let minute = 0; minute <= 24 * 60; minute++) {
    const busy = Math.max(0, Math.min(10, minute - 700));
    tracked.look(minute * MINUTE, new Map([["a", busy * 1_000]]));
  }
  assert.equal(observedMs(tracked.of("a")), 24 * HOUR);
  assert.equal(activeMs(tracked.of("a")), HOUR);
});
