import assert from "node:assert/strict";
import { ServerClock } from "../../src/decoding/server_clock.ts";

Deno.test("ServerClock: the narrowest measurement holds, until it is old or the clock is set", () => {
  const clock = new ServerClock();
  assert.equal(clock.momentOf(0), undefined);
  // The server is 1,000,000 µs ahead.
  clock.note(1_000_150, 100, 200);
  assert.deepEqual(clock.momentOf(1_000_500), { fromUs: 450, toUs: 550 });
  clock.note(1_001_005, 1_000, 1_010);
  assert.deepEqual(clock.momentOf(1_000_500), { fromUs: 495, toUs: 505 });
  // A wider one says no more.
  clock.note(1_002_500, 2_000, 3_000);
  assert.deepEqual(clock.momentOf(1_000_500), { fromUs: 495, toUs: 505 });
  // Clocks drift: it is taken after a while.
  clock.note(13_000_500, 12_000_000, 12_001_000);
  assert.deepEqual(clock.momentOf(13_000_500), {
    fromUs: 12_000_000,
    toUs: 12_001_000,
  });
  // The server's clock was set back by a second.
  clock.note(12_100_000, 12_099_000, 12_105_000);
  assert.deepEqual(clock.momentOf(12_100_000), {
    fromUs: 12_099_000,
    toUs: 12_105_000,
  });
});
