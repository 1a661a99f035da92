import { toldRows } from "../given/mod.ts";
import { describedNames, normalOf, type Reply } from "../judge/mod.ts";
import type { PinnedValue } from "../sql/pinned_values.ts";
import type { Shape } from "../sql/shape.ts";
import { byteText } from "../wire/mod.ts";

/** Bytes of a value that is looked at: ids and uuids are shorter. */
const MAX_VALUE = 64;

/** Values of a row by column, a character for each byte. */
export type ToldValues = ReadonlyMap<string, string>;

/** What RETURNING told of the rows that an INSERT wrote; undefined: nothing. */
export function toldValues(
  { insertion }: Shape,
  reply: Reply,
): readonly ToldValues[] | undefined {
  if (insertion === undefined || insertion.returned.length === 0) {
    return undefined;
  }
  const rows = toldRows(reply);
  if (rows === undefined) return undefined;
  const names = insertion.returned.includes("all")
    ? describedNames(reply.answer)
    : insertion.returned.map((one) =>
      typeof one === "object" ? one.column : undefined
    );
  if (names === undefined) return undefined;
  return rows.map((row) => {
    const values = new Map<string, string>();
    names.forEach((name, i) => {
      const value = row[i];
      if (name === undefined || value === undefined) return;
      if (value.length <= MAX_VALUE) {
        values.set(name, byteText(value));
      }
    });
    return values;
  });
}

/** Whether a told value is known to be another one than the log has: whether it is text or binary, an answer without its description does not say. */
export function isOtherThanTold(
  text: string,
  logged: PinnedValue,
  typeOid: number | undefined,
): boolean {
  const theirs = normalOf(logged, typeOid);
  const readings = [false, true].flatMap((isBinary) =>
    normalOf({ isBinary, text }, typeOid) ?? []
  );
  return theirs !== undefined && readings.length > 0 &&
    !readings.includes(theirs);
}
