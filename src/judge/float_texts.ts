import { areFloatsAlike } from "./number_values.ts";
import { FLOAT8 } from "./type_oids.ts";

const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
/** Digits of a float8 that a sum in another order has in common with it: see areFloatsAlike. */
const COMMON_DIGITS = 9;
/** A float8 that was rounded otherwise shows so many digits; a cast to numeric leaves 15 (DBL_DIG). */
const FLOAT_DIGITS = 15;

/** Equal for texts that {@linkcode areFloatTextsAlike} takes for alike, but for one of a million that is rounded here. */
export function floatTextKey(text: string): string {
  return text.replace(
    NUMBER,
    (number) =>
      isWhole(number) || digitsOf(number) <= COMMON_DIGITS
        ? number
        : `${Number(Number(number).toPrecision(COMMON_DIGITS))}`,
  );
}

/**
 * Whether two texts are the same but for the last digits of floats in them. A
 * number is taken for a float by its many digits: one of a type that rounds
 * nowhere differs, or it does not.
 */
export function areFloatTextsAlike(a: string, b: string): boolean {
  if (a.replace(NUMBER, "0") !== b.replace(NUMBER, "0")) return false;
  const ours = b.match(NUMBER) ?? [];
  return (a.match(NUMBER) ?? []).every((theirs, i) => {
    const our = ours[i] ?? "";
    return theirs === our ||
      Math.max(digitsOf(theirs), digitsOf(our)) >= FLOAT_DIGITS &&
        !(isWhole(theirs) && isWhole(our)) &&
        areFloatsAlike(Number(theirs), Number(our), FLOAT8);
  });
}

function isWhole(number: string): boolean {
  return /^-?\d+$/.test(number);
}

/** Significant digits. */
function digitsOf(number: string): number {
  return number.replace(/[eE].*$/, "").replace(/^-?0*\.?0*/, "")
    .replace(".", "").length;
}
