import { isUnprintable } from "./cell_format.ts";
import { DATE, TIME, TIMESTAMPTZ, TIMETZ } from "./type_oids.ts";

const DAY_US = 86_400_000_000;
/** PostgreSQL's epoch, 2000-01-01, in microseconds of Unix. */
const EPOCH_US = 946_684_800_000_000;
/** Months are not equally long: 28 to 31 days, and 30 to `justify_days`. */
const MONTH_DAYS = 30;
const MONTH_SLACK_US = 3 * DAY_US;

const decoder = new TextDecoder();

/**
 * Microseconds of a point in time, within a day for times of day; infinite for
 * `infinity`.
 *
 * @returns undefined: a form that is not read. Text is read in DateStyle ISO
 *   (manual, "Date/Time Output").
 */
export function timeUs(
  cell: Uint8Array,
  type: number,
  isBinary: boolean,
): number | undefined {
  if (isBinary || isUnprintable(cell)) return binaryTimeUs(cell, type);
  const text = decoder.decode(cell);
  if (text === "infinity") return Infinity;
  if (text === "-infinity") return -Infinity;
  const found = TIME_TEXT.exec(text);
  if (found === null) return undefined;
  const { y, mo, d, h = "0", mi = "0", s = "0", f = "", zone, bc } =
    found.groups ?? {};
  const fraction = Number(f.padEnd(6, "0"));
  const ofDay = ((Number(h) * 60 + Number(mi)) * 60 + Number(s)) * 1e6 +
    fraction - zoneUs(zone);
  if (type === TIME || type === TIMETZ) {
    return y === undefined ? ofDay : undefined;
  }
  if (y === undefined) return undefined;
  const day = new Date(0);
  // Year 1 BC is year 0.
  const year = bc === undefined ? Number(y) : 1 - Number(y);
  day.setUTCFullYear(year, Number(mo) - 1, Number(d));
  return day.getTime() * 1_000 + ofDay;
}

const TIME_TEXT =
  /^(?:(?<y>\d{4,6})-(?<mo>\d\d)-(?<d>\d\d))?[ T]?(?:(?<h>\d\d):(?<mi>\d\d):(?<s>\d\d)(?:\.(?<f>\d{1,6}))?)?(?<zone>[+-]\d\d(?::?\d\d){0,2})?(?<bc> BC)?$/;

function zoneUs(zone: string | undefined): number {
  if (zone === undefined) return 0;
  const [h = 0, m = 0, s = 0] = zone.slice(1).split(":").map(Number);
  const us = ((h * 60 + m) * 60 + s) * 1e6;
  return zone.startsWith("-") ? -us : us;
}

/** Infinite are the last numbers of a type (timestamp.h, date.h). */
function binaryTimeUs(cell: Uint8Array, type: number): number | undefined {
  const view = new DataView(cell.buffer, cell.byteOffset, cell.length);
  if (type === DATE) {
    if (cell.length !== 4) return undefined;
    const days = view.getInt32(0);
    if (days === 0x7fff_ffff) return Infinity;
    return days === -0x8000_0000 ? -Infinity : days * DAY_US + EPOCH_US;
  }
  if (cell.length < 8) return undefined;
  const us = Number(view.getBigInt64(0));
  if (type === TIME) return us;
  // Seconds west of Greenwich follow.
  if (type === TIMETZ) {
    return cell.length === 12 ? us + view.getInt32(8) * 1e6 : undefined;
  }
  return Math.abs(us) > 9.2e18 ? us * Infinity : us + EPOCH_US;
}

/** How much later `b` is than `a`, in microseconds; times of day by the shorter way around the clock. */
export function laterUs(a: number, b: number, type: number): number {
  if (a === b) return 0;
  if (type !== TIME && type !== TIMETZ) return b - a;
  const later = ((b - a) % DAY_US + DAY_US) % DAY_US;
  return later > DAY_US / 2 ? later - DAY_US : later;
}

/** The times within a text, in microseconds, and what is around them. */
export interface TimesIn {
  readonly times: readonly number[];
  readonly rest: string;
}

/** Finds the times in a text: those with a day, or dates alone. */
export function timesIn(text: string): TimesIn {
  const times: number[] = [];
  const rest = text.replace(TIMES_WITHIN, (found) => {
    const us = timeUs(encoder.encode(found), TIMESTAMPTZ, false);
    if (us === undefined) return found;
    times.push(us);
    return "\0";
  });
  return { times, rest };
}

const TIMES_WITHIN =
  /(?<!\d)\d{4,6}-\d\d-\d\d(?:[ T]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:[+-]\d\d(?::?\d\d){0,2})?)?(?!\d)/g;
const encoder = new TextEncoder();

/** An interval, as PostgreSQL keeps it. */
export interface Interval {
  readonly months: number;
  readonly days: number;
  readonly us: number;
}

/** An interval; undefined: a form that is not read. Text is read in IntervalStyle postgres. */
export function intervalOf(
  cell: Uint8Array,
  isBinary: boolean,
): Interval | undefined {
  if (isBinary || isUnprintable(cell)) {
    if (cell.length !== 16) return undefined;
    const view = new DataView(cell.buffer, cell.byteOffset, cell.length);
    return {
      us: Number(view.getBigInt64(0)),
      days: view.getInt32(8),
      months: view.getInt32(12),
    };
  }
  const text = decoder.decode(cell);
  const found = INTERVAL_TEXT.exec(text);
  if (found === null || text === "") return undefined;
  const { years = 0, months = 0, days = 0, sign, h = 0, mi = 0, s = 0 } =
    found.groups ?? {};
  const us = Math.round(
    ((Number(h) * 60 + Number(mi)) * 60 + Number(s)) * 1e6,
  );
  return {
    months: Number(years) * 12 + Number(months),
    days: Number(days),
    us: sign === "-" ? -us : us,
  };
}

const INTERVAL_TEXT =
  /^(?:(?<years>[+-]?\d+) years? ?)?(?:(?<months>[+-]?\d+) mons? ?)?(?:(?<days>[+-]?\d+) days? ?)?(?:(?<sign>[+-])?(?<h>\d+):(?<mi>\d\d):(?<s>\d\d(?:\.\d{1,6})?))?$/;

/**
 * Whether two intervals up to a moment may be of two moments that are so far
 * apart. `age(at)` counts from midnight on: it changes by whole days.
 */
export function areIntervalsAlike(
  a: Interval,
  b: Interval,
  withinUs: number,
): boolean {
  const slack = (a.months === b.months ? 0 : MONTH_SLACK_US) +
    (a.us === b.us ? DAY_US : 0);
  return Math.abs(intervalUs(b) - intervalUs(a)) <= withinUs + slack;
}

/** An interval's length in microseconds; a month is 30 days. */
export function intervalUs({ months, days, us }: Interval): number {
  return (months * MONTH_DAYS + days) * DAY_US + us;
}
