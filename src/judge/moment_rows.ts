import { FLAG_CUT, STATEMENT_KIND, STATEMENT_ROWS } from "../record/mod.ts";
import type { MomentBound } from "../sql/mod.ts";
import { type Answer, readCells } from "./answer.ts";
import { CLOCK_MARGIN_US } from "./cell_rules.ts";
import type { Column } from "./columns.ts";
import { answersOf } from "./reply_rows.ts";
import { findTwins, isLoose } from "./row_twins.ts";
import type {
  ComparisonContext,
  Moment,
  Reply,
  Surroundings,
} from "./surroundings.ts";
import { timeUs } from "./time_values.ts";
import { DATE, TIMESTAMP, TIMESTAMPTZ } from "./type_oids.ts";

/** Offsets of time zones are multiples of this, and not larger than the second. */
const ZONE_STEP_US = 900_000_000;
const LARGEST_ZONE_US = 15 * 3_600_000_000;
const HELD_TYPES: ReadonlySet<number> = new Set([TIMESTAMPTZ, TIMESTAMP, DATE]);

/** A bound, and where its column stands. */
interface Held extends MomentBound {
  readonly place: number;
  readonly column: Column;
}

/**
 * Whether the rows that one server gave and the other did not are those whose
 * time came between the two moments, by the column that the statement holds
 * against the moment: `where expires_at > now()`.
 *
 * @returns undefined: the rows do not tell.
 */
export function areAtTheMoment(
  primary: Reply,
  mirror: Reply,
  { about: ask, shape, types }: Pick<
    ComparisonContext,
    "about" | "shape" | "types"
  >,
): boolean | undefined {
  const p = (offset: number) => primary.words[primary.at + offset] as number;
  const m = (offset: number) => mirror.words[mirror.at + offset] as number;
  if (((p(STATEMENT_KIND) | m(STATEMENT_KIND)) & FLAG_CUT) !== 0) {
    return undefined;
  }
  const about = ask();
  const moment = about.moment();
  if (moment === undefined) return undefined;
  const rules = about.rules();
  const held = heldColumns(moment, about.columns() ?? []);
  const isMasked = held?.some(({ place }) =>
    rules.columns[place]?.mask !== undefined
  );
  if (held === undefined || isMasked) return undefined;
  const { theirs, ours } = answersOf(primary, mirror, { about, types, shape });
  const areRead = [theirs, ours].every(({ rows, hasCells }) =>
    rows.length === 0 || hasCells
  );
  if (!areRead) return undefined;
  const rows = { theirs: p(STATEMENT_ROWS), ours: m(STATEMENT_ROWS) };
  const { limited, limit } = shape;
  const most = limited ? limit ?? Math.max(rows.theirs, rows.ours) : Infinity;
  const sides = {
    primary: theirs,
    mirror: ours,
    rules,
    isLoose: rules.columns.some(isLoose),
  };
  const left = findTwins(sides, 0, Infinity, () => {});
  // What a LIMIT has cut off stands in no row: it may be any.
  const missing = [
    ...(rows.ours < most ? timesOf(theirs, left.theirs, held) : []),
    ...(rows.theirs < most ? timesOf(ours, left.ours, held) : []),
  ];
  if (missing.length === 0) return undefined;
  const common = [
    ...timesOf(theirs, others(theirs, left.theirs), held),
    ...timesOf(ours, others(ours, left.ours), held),
  ];
  return areExcused(missing, common, held, moment);
}

/** Of several columns with the name nobody knows which. */
function heldColumns(
  { bounds }: Moment,
  columns: readonly Column[],
): readonly Held[] | undefined {
  const held = bounds.map((bound): Held | undefined => {
    const place = columns.findIndex(({ name }) => name === bound.output);
    const isOnly = columns.findLastIndex(({ name }) =>
      name === bound.output
    ) === place;
    const column = columns[place];
    return column !== undefined && isOnly && HELD_TYPES.has(column.typeOid)
      ? { ...bound, place, column }
      : undefined;
  });
  return held.every((one) => one !== undefined) ? held : undefined;
}

function others(
  { rows }: Answer,
  places: readonly number[],
): readonly number[] {
  const without = new Set(places);
  return rows.map((_, place) => place).filter((place) => !without.has(place));
}

/** By row what each bound's column has; null: NULL, which no moment passes; undefined: it is not read. */
type Times = readonly (number | null | undefined)[];

function timesOf(
  { rows }: Answer,
  places: readonly number[],
  held: readonly Held[],
): readonly Times[] {
  return places.map((row) => {
    const cells = readCells(rows[row] as Uint8Array); // a place is one of its rows
    return held.map(({ place, column: { typeOid, isBinary } }) => {
      const cell = cells[place];
      return cell === undefined ? null : timeUs(cell, typeOid, isBinary);
    });
  });
}

/** @param common rows that both sides have: the bound lies before or behind them all. */
function areExcused(
  missing: readonly Times[],
  common: readonly Times[],
  held: readonly Held[],
  moment: Moment,
): boolean | undefined {
  if (missing.some((times) => times.includes(undefined))) return undefined;
  let isUnknown = false;
  const excused = held.map((bound, i) => {
    const times = missing.map((row) => row[i] as number | null);
    if (bound.isMoment) {
      return times.map((time) => isWithin(time, bound, moment));
    }
    const around = common.map((row) => row[i]).filter((one) => one !== null);
    if (around.length === 0 || around.includes(undefined)) {
      isUnknown = true;
      return times.map(() => false);
    }
    return areOutermost(times, around as number[], bound, moment);
  });
  const isAll = missing.every((_, row) => excused.some((one) => one[row]));
  return isAll || !isUnknown ? isAll : undefined;
}

/** Whether a row's time has come between the two moments. */
function isWithin(
  time: number | null,
  { column: { typeOid } }: Held,
  { fromUs, toUs }: Moment,
): boolean {
  if (time === null || !Number.isFinite(time)) return false;
  if (typeOid === TIMESTAMPTZ) return fromUs <= time && time <= toUs;
  // Without its zone it is known but for the zone's offset.
  const before = Math.max(fromUs, time - LARGEST_ZONE_US);
  const steps = Math.ceil((before - time) / ZONE_STEP_US);
  const next = time + steps * ZONE_STEP_US;
  return next <= Math.min(toUs, time + LARGEST_ZONE_US);
}

/** Of a bound that is some time from the moment: rows that the moment has passed are beyond all others, and not further apart than the moments. */
function areOutermost(
  times: readonly (number | null)[],
  around: readonly number[],
  { isLater }: Held,
  { fromUs, toUs }: Moment,
): readonly boolean[] {
  const sign = isLater ? 1 : -1;
  const least = (all: readonly number[]) =>
    all.reduce((one, other) => Math.min(one, other), Infinity);
  const first = least(around.map((time) => sign * time));
  const beyond = times.map((time) =>
    time === null || !Number.isFinite(time) || sign * time >= first
      ? undefined
      : sign * time
  );
  const nearest = -least(
    beyond.flatMap((time) => time === undefined ? [] : [-time]),
  );
  // The margin is on both sides of the moments.
  const spanUs = toUs - fromUs - CLOCK_MARGIN_US;
  return beyond.map((time) => time !== undefined && nearest - time <= spanUs);
}
