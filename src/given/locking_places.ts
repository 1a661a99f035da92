import { type Span, textOf } from "./insert_places.ts";
import { type Token, tokens } from "../sql/mod.ts";

/** Where the parts of what chooses the rows that are locked stand in a text. */
export interface LockingPlaces {
  /** The condition of its WHERE; undefined: it has none. */
  readonly condition: Span | undefined;
  /** Behind its FROM, where WHERE would stand. */
  readonly behindFrom: number;
  /** SKIP LOCKED; undefined: an UPDATE or DELETE has no such words. */
  readonly skipLocked: Span | undefined;
}

/** What comes behind WHERE: reserved words, so that no name is one of them. */
const BEHIND_WHERE: ReadonlySet<string> = new Set([
  "order",
  "limit",
  "fetch",
  "for",
  "returning",
  ";",
]);

/**
 * Finds the parts of the only SELECT in `bytes[from, to)` that skips locked rows,
 * or, where the statement chooses them by its own condition, those of the
 * UPDATE or DELETE.
 *
 * @returns undefined if the text is not as expected.
 */
export function lockingPlaces(
  bytes: Uint8Array,
  from: number,
  to: number,
  isOwn: boolean,
): LockingPlaces | undefined {
  const all = [...tokens(bytes, from, to)];
  const words = all.map((token) => textOf(bytes, token));
  const skip = isOwn
    ? words.length
    : words.findIndex((word, i) =>
      word === "skip" && words[i + 1] === "locked"
    );
  const locked = all[skip + 1];
  if (skip < 0 || locked === undefined && !isOwn) return undefined;
  const own = ownTokens(words, skip);
  const clause = own.find((i) => BEHIND_WHERE.has(words[i] as string)) ?? skip;
  const where = own.find((i) => words[i] === "where");
  if (clause === 0) return undefined;
  const end = (all[clause - 1] as Token).end; // clause > 0
  const first = where === undefined ? undefined : all[where + 1];
  return {
    condition: first === undefined ? undefined : { from: first.start, to: end },
    behindFrom: end,
    skipLocked: locked && { from: (all[skip] as Token).start, to: locked.end },
  };
}

/** The places of a query's own tokens before `end`, those in parentheses left out. */
function ownTokens(words: readonly string[], end: number): readonly number[] {
  const own: number[] = [];
  let depth = 0;
  for (let at = end - 1; at >= 0; at--) {
    const word = words[at] as string;
    if (word === ")" || word === "]") depth++;
    else if (word === "(" || word === "[") depth--;
    else if (depth === 0) own.push(at);
    // Here it begins.
    if (depth < 0) break;
  }
  return own.reverse();
}
