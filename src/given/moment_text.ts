import { type MomentCalls, MOMENTS, type Token, tokens } from "../sql/mod.ts";
import { textOf } from "./insert_places.ts";
import { type Edit, spliced } from "./texts.ts";

/** Words that tell the moment, and what makes a value of their type of `now()`. */
const WORDS: ReadonlyMap<string, string> = new Map([
  ["current_timestamp", ""],
  ["localtimestamp", "::pg_catalog.timestamp"],
  ["current_date", "::pg_catalog.date"],
]);

/**
 * Writes the SQL in `bytes[from, to)` so that its conditions are held against
 * an earlier moment.
 *
 * @param ago an expression, which is cast to an interval.
 * @returns undefined if the text is not as expected.
 */
export function momentText(
  bytes: Uint8Array,
  from: number,
  to: number,
  { places }: MomentCalls,
  ago: string,
): Uint8Array<ArrayBuffer> | undefined {
  const found = placesIn(bytes, from, to);
  if (found.length !== places.length) return undefined;
  const edits = found.filter((_, i) => places[i]).map((place): Edit => ({
    from: place.from,
    to: place.to,
    text:
      `((pg_catalog.${place.asked}() OPERATOR(pg_catalog.-) ${ago}::pg_catalog.interval)${place.cast})`,
  }));
  return spliced(bytes, from, to, edits);
}

interface Place {
  readonly from: number;
  readonly to: number;
  /** The function. */
  readonly asked: string;
  readonly cast: string;
}

function placesIn(
  bytes: Uint8Array,
  from: number,
  to: number,
): readonly Place[] {
  const all = [...tokens(bytes, from, to)];
  const word = (i: number) => {
    const token = all[i];
    return token === undefined ? "" : textOf(bytes, token);
  };
  return all.flatMap(({ kind, start, end }, i): Place[] => {
    if (kind !== "word") return [];
    const isQualified = word(i - 1) === ".";
    if (MOMENTS.has(word(i)) && word(i + 1) === "(" && word(i + 2) === ")") {
      const isServers = word(i - 2) === "pg_catalog";
      if (isQualified && !isServers) return [];
      const first = isQualified ? (all[i - 2] as Token).start : start;
      const to = (all[i + 2] as Token).end;
      return [{ from: first, to, asked: word(i), cast: "" }];
    }
    const cast = WORDS.get(word(i));
    const isOther = cast === undefined || isQualified || word(i + 1) === "(";
    return isOther ? [] : [{ from: start, to: end, asked: "now", cast }];
  });
}
