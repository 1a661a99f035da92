import assert from "node:assert/strict";
import {
  areIntervalsAlike,
  type Interval,
  intervalOf,
  laterUs,
  timesIn,
  timeUs,
} from "../../src/judge/time_values.ts";
import {
  DATE,
  TIME,
  TIMESTAMP,
  TIMESTAMPTZ,
  TIMETZ,
} from "../../src/judge/type_oids.ts";
import { concat, int32 } from "../support/wire_client.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("timeUs: text and binary tell the same moment", () => {
  const at = Date.UTC(2024, 1, 29, 13, 5, 7) * 1_000 + 123_456;
  const text = (value: string, type: number) =>
    timeUs(bytes(value), type, false);
  assert.equal(text("2024-02-29 13:05:07.123456+00", TIMESTAMPTZ), at);
  assert.equal(text("2024-02-29 18:35:07.123456+05:30", TIMESTAMPTZ), at);
  assert.equal(text("2024-02-29 13:05:07.123456", TIMESTAMP), at);
  assert.equal(text("2024-02-29T13:05:07.123456", TIMESTAMP), at);
  assert.equal(
    text("2024-02-29", DATE),
    Date.UTC(2024, 1, 29) * 1_000,
  );
  assert.equal(text("00:00:01.5", TIME), 1_500_000);
  assert.equal(text("01:00:00-02", TIMETZ), 3 * 3_600_000_000);
  const binary = new Uint8Array(8);
  new DataView(binary.buffer).setBigInt64(
    0,
    BigInt(at) - BigInt(Date.UTC(2000, 0, 1)) * 1_000n,
  );
  assert.equal(timeUs(binary, TIMESTAMPTZ, true), at);
  const zoned = concat([binary.slice(), int32(7_200)]);
  new DataView(zoned.buffer).setBigInt64(0, 3_600_000_000n);
  assert.equal(timeUs(zoned, TIMETZ, true), 3 * 3_600_000_000);
  assert.equal(timeUs(int32(1), DATE, true), Date.UTC(2000, 0, 2) * 1_000);
});

Deno.test("timeUs: infinity, and years before Christ", () => {
  const text = (value: string, type: number) =>
    timeUs(bytes(value), type, false);
  assert.equal(text("infinity", TIMESTAMP), Infinity);
  assert.equal(text("-infinity", DATE), -Infinity);
  const day = 86_400_000_000;
  assert.equal(
    (text("0001-01-01", DATE) ?? 0) - (text("0001-12-31 BC", DATE) ?? 0),
    day,
  );
  const binary = new Uint8Array(8).fill(0xff);
  binary[0] = 0x7f;
  assert.equal(timeUs(binary, TIMESTAMP, true), Infinity);
  assert.equal(timeUs(int32(-0x8000_0000), DATE, true), -Infinity);
});

Deno.test("timeUs: what is not in ISO or cut short is not read", () => {
  for (const text of ["29/02/2024", "Thu Feb 29", "29.02.2024 13:05:07"]) {
    assert.equal(timeUs(bytes(text), TIMESTAMP, false), undefined, text);
  }
  assert.equal(timeUs(bytes("abc"), TIMESTAMP, true), undefined);
});

Deno.test("intervalOf: text and binary tell the same", () => {
  const us = 1e6;
  const cases: readonly [text: string, Interval][] = [
    ["00:00:01.5", { months: 0, days: 0, us: 1.5 * us }],
    ["-00:00:01", { months: 0, days: 0, us: -us }],
    ["1 year 2 mons 3 days 04:05:06.789", {
      months: 14,
      days: 3,
      us: ((4 * 60 + 5) * 60 + 6.789) * us,
    }],
    ["-1 days +02:00:00", { months: 0, days: -1, us: 7_200 * us }],
    ["5 mons", { months: 5, days: 0, us: 0 }],
  ];
  for (const [text, interval] of cases) {
    assert.deepEqual(intervalOf(bytes(text), false), interval);
    const binary = new Uint8Array(16);
    const view = new DataView(binary.buffer);
    view.setBigInt64(0, BigInt(interval.us));
    view.setInt32(8, interval.days);
    view.setInt32(12, interval.months);
    assert.deepEqual(intervalOf(binary, true), interval);
  }
  for (const text of ["", "P1Y2M3D", "@ 1 year", "1-2"]) {
    assert.equal(intervalOf(bytes(text), false), undefined, text);
  }
});

Deno.test("areIntervalsAlike: as far apart as two moments, with a day of age() and of a month", () => {
  const alike = (a: string, b: string, withinUs: number) =>
    areIntervalsAlike(
      intervalOf(bytes(a), false) as Interval,
      intervalOf(bytes(b), false) as Interval,
      withinUs,
    );
  const minute = 60e6;
  assert.ok(alike("10:00:00", "10:00:59", minute));
  assert.ok(alike("10:00:59", "10:00:00", minute));
  assert.ok(!alike("10:00:00", "10:01:01", minute));
  assert.ok(!alike("1 day 10:00:00", "2 days 10:00:00.1", minute));
  assert.ok(alike("23:59:59.9", "1 day 00:00:00", minute));
  // age() counts from midnight on.
  assert.ok(alike("5 days 07:00:00", "6 days 07:00:00", minute));
  assert.ok(!alike("5 days 07:00:00", "7 days 07:00:00", minute));
  assert.ok(alike("30 days 23:59:59", "1 mon 00:00:01", minute));
  assert.ok(!alike("25 days", "1 mon", minute));
});

Deno.test("laterUs: a time of day goes the shorter way around midnight", () => {
  const hour = 3_600_000_000;
  assert.equal(laterUs(23.5 * hour, 0.5 * hour, TIME), hour);
  assert.equal(laterUs(0.5 * hour, 23.5 * hour, TIME), -hour);
  assert.equal(laterUs(1, 3, TIMESTAMP), 2);
});

Deno.test("timesIn: times and dates, and what is around them", () => {
  const utc = (...parts: Parameters<typeof Date.UTC>) =>
    Date.UTC(...parts) * 1e3;
  assert.deepEqual(
    timesIn('{"a":"2024-02-29T13:05:07.5+00:00","b":[2024,"2024-03-01"]}'),
    {
      times: [utc(2024, 1, 29, 13, 5, 7, 500), utc(2024, 2, 1)],
      rest: '{"a":"\0","b":[2024,"\0"]}',
    },
  );
  assert.deepEqual(timesIn("12024-02-291"), {
    times: [],
    rest: "12024-02-291",
  });
  assert.deepEqual(timesIn("none"), { times: [], rest: "none" });
});
