/** Numbers that the mirror is to draw before it is asked. */
export interface OwedDraws {
  readonly draws: number;
  /** Sessions that had no part in earlier ones: each takes numbers of its own into its cache. */
  readonly sessions: number;
}

/** A sequence's name within a default, as the catalog writes it: `nextval('public.s'::regclass)`. */
const DRAW = /\bnextval\(('(?:[^']|'')*'::regclass)\)/g;
/** A number within a text. */
const DIGITS = /(\d+)/;
const WHOLE = /^-?\d+$/;

const decoder = new TextDecoder();

/** The sequence that a default draws from, as the catalog writes it; undefined: none, or several. */
export function sequenceOf(expression: string): string | undefined {
  const [draw, ...others] = expression.matchAll(DRAW);
  return others.length > 0 ? undefined : draw?.[1];
}

/**
 * What a default with a sequence would give next, as SQL that draws nothing; NULL
 * where it can't be foreseen: the sequence counts down, or may not be read.
 *
 * @returns undefined if the default does not draw from one sequence once.
 */
export function nextNumber(expression: string): string | undefined {
  const [draw, ...others] = expression.matchAll(DRAW);
  if (draw === undefined || others.length > 0) return undefined;
  const [call, name] = draw;
  const of = (what: string) =>
    `(SELECT ${what} FROM pg_catalog.pg_sequence s WHERE s.seqrelid = ${name}
      AND s.seqincrement > 0
      AND pg_catalog.has_sequence_privilege(s.seqrelid, 'USAGE, SELECT'))`;
  // NULL from a sequence that has given nothing yet.
  const next =
    "coalesce(pg_catalog.pg_sequence_last_value(s.seqrelid) + s.seqincrement, s.seqstart)";
  return expression.replace(call, () => of(next));
}

/**
 * A row of a FROM clause that draws from a default's sequence. Other sessions
 * took numbers into their caches on the primary that one session of the mirror
 * does not: a cache for each of them.
 *
 * @param sequence see {@linkcode sequenceOf}.
 */
export function drawing(
  sequence: string,
  { draws, sessions }: OwedDraws,
): string {
  return `(SELECT pg_catalog.count(pg_catalog.nextval(${sequence}))
    FROM pg_catalog.generate_series(1, ${draws} + ${sessions} *
      (SELECT s.seqcache - 1 FROM pg_catalog.pg_sequence s WHERE s.seqrelid = ${sequence})))`;
}

/**
 * How far the number in one text is beyond that in another: 5 for `A-17` and
 * `A-12`.
 *
 * @returns undefined if they differ in something else.
 */
export function numbersAhead(one: string, other: string): number | undefined {
  if (WHOLE.test(one) && WHOLE.test(other)) {
    return Number(BigInt(one) - BigInt(other));
  }
  const ours = other.split(DIGITS);
  const theirs = one.split(DIGITS);
  if (ours.length !== theirs.length) return undefined;
  const apart = theirs.flatMap((part, i) => part === ours[i] ? [] : [i]);
  const [at, ...others] = apart;
  if (at === undefined) return 0;
  // A number stands at each odd place.
  if (others.length > 0 || at % 2 === 0) return undefined;
  return Number(BigInt(theirs[at] ?? "") - BigInt(ours[at] ?? ""));
}

/** A told value as text. @param type as the catalog writes it. */
export function numberText(
  cell: Uint8Array,
  type: string,
  isBinary: boolean,
): string {
  if (!isBinary || !INTEGER.test(type)) return decoder.decode(cell.slice());
  const view = new DataView(cell.buffer, cell.byteOffset, cell.length);
  switch (cell.length) {
    case 2:
      return `${view.getInt16(0)}`;
    case 4:
      return `${view.getInt32(0)}`;
    default:
      return `${view.getBigInt64(0)}`;
  }
}

const INTEGER = /^"pg_catalog"\."int[248]"$/;
