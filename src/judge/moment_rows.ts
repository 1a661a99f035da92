import { FLAG_CUT, STATEMENT_KIND, STATEMENT_ROWS } from "../record/mod.ts";
import type { MomentBound } from "../sql/mod.ts";
import { type Answer, readCells } from "./answer.ts";
import { CLOCK_MARGIN_US, fewOf } from "./cell_rules.ts";
import type { Column } from "./columns.ts";
import { answersOf } from "./reply_rows.ts";
import { findTwins, isLoose } from "./row_twins.ts";
import type { ComparisonContext, Moment, Reply } from "./surroundings.ts";
import { timeUs } from "./time_values.ts";
import { DATE, TIMESTAMP, TIMESTAMPTZ } from "./type_oids.ts";

/** Clocks that are kept are not further apart: rows beyond that are few. */
const KEPT_CLOCKS_US = 1_000_000;
const HELD_TYPES: ReadonlySet<number> = new Set([TIMESTAMPTZ, TIMESTAMP, DATE]);

/** A bound, and its column in the answer. */
interface Held extends MomentBound {
  readonly place: number;
  readonly shown: Column;
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
  const held = shownBounds(moment, about.columns() ?? []);
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
  const missing = {
    theirs: rows.ours < most ? timesOf(theirs, left.theirs, held) : [],
    ours: rows.theirs < most ? timesOf(ours, left.ours, held) : [],
  };
  if (missing.theirs.length + missing.ours.length === 0) return undefined;
  const common = [
    ...timesOf(theirs, others(theirs, left.theirs), held),
    ...timesOf(ours, others(ours, left.ours), held),
  ];
  const larger = Math.max(rows.theirs, rows.ours);
  return areExcused(missing, common, held, moment, larger);
}

/** Of several columns with the name nobody knows which. */
function shownBounds(
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
      ? { ...bound, place, shown: column }
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
    return held.map(({ place, shown: { typeOid, isBinary } }) => {
      const cell = cells[place];
      if (cell === undefined) return null;
      // Another session may have described the other format.
      const isWord = cell.length === (typeOid === DATE ? 4 : 8);
      return timeUs(cell, typeOid, isBinary && isWord);
    });
  });
}

/** Rows that only one side has. */
interface Missing {
  readonly theirs: readonly Times[];
  readonly ours: readonly Times[];
}

/**
 * @param common rows that both sides have: the moments have passed none of them.
 * @param rows of the side that has more.
 */
function areExcused(
  { theirs, ours }: Missing,
  common: readonly Times[],
  held: readonly Held[],
  moment: Moment,
  rows: number,
): boolean | undefined {
  const missing = [...theirs, ...ours];
  if ([...missing, ...common].some((times) => times.includes(undefined))) {
    return undefined;
  }
  // By one bound the later moment leaves fewer of the same rows, and rows of equal times go together.
  const seen = new Set(theirs.map(String));
  const areOthers = theirs.length > 0 && ours.length > 0 &&
    (held.length === 1 || ours.some((times) => seen.has(String(times))));
  if (areOthers) return false;
  const passed = held.map((bound, i) => {
    const column = (all: readonly Times[]) =>
      all.map((times) => times[i] as number | null); // all are read
    return passedBy(bound, column(missing), column(common), moment, rows);
  });
  if (missing.every((_, row) => passed.some((one) => one?.[row]))) return true;
  return passed.includes(undefined) ? undefined : false;
}

/**
 * Which rows the moment has passed between the two servers, by one bound: they
 * lie beyond all common rows and between the moments, or, where the bound is
 * some time from the moment or its zone is not seen, no further apart than
 * these. What clocks that are kept do not explain are a few at the most.
 *
 * @returns undefined: without a common row nobody knows where the bound is.
 */
function passedBy(
  { isLater, isMoment, shown: { typeOid } }: Held,
  times: readonly (number | null)[],
  common: readonly (number | null)[],
  { fromUs, toUs }: Moment,
  rows: number,
): readonly boolean[] | undefined {
  const sign = isLater ? 1 : -1;
  const first = common.reduce<number>(
    (least, time) => time === null ? least : Math.min(least, sign * time),
    Infinity,
  );
  const isTold = isMoment && typeOid === TIMESTAMPTZ;
  if (!isTold && first === Infinity) return undefined;
  const beyond = times.map((time) =>
    time !== null && Number.isFinite(time) && sign * time < first
      ? time
      : undefined
  );
  const nearest = beyond.reduce<number>(
    (most, time) => time === undefined ? most : Math.max(most, sign * time),
    -Infinity,
  );
  // The margin is on both sides of the moments.
  const spanUs = toUs - fromUs - CLOCK_MARGIN_US;
  const slackUs = CLOCK_MARGIN_US - KEPT_CLOCKS_US;
  let doubtful = 0;
  const passed = beyond.map((time) => {
    if (time === undefined) return false;
    const isPassed = isTold
      ? fromUs <= time && time <= toUs
      : nearest - sign * time <= spanUs;
    const isSure = isTold && fromUs + slackUs <= time &&
      time <= toUs - slackUs;
    if (isPassed && !isSure) doubtful++;
    return isPassed;
  });
  return doubtful <= fewOf(rows) ? passed : passed.map(() => false);
}
