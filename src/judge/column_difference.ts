import type { TypePair } from "../catalog/mod.ts";
import { leadingDescription } from "./answer.ts";
import { type Column, readColumns, typeName } from "./columns.ts";
import { type DifferenceText, NO_DIFFERENCE } from "./difference.ts";

/** The first column that two answers describe otherwise, in words. It holds no value. */
export function columnDifference(
  primary: Uint8Array,
  mirror: Uint8Array,
  types: TypePair,
): DifferenceText {
  const theirs = columnsOf(primary);
  const ours = columnsOf(mirror);
  if (theirs.length !== ours.length) {
    return {
      place: "number of columns",
      primary: String(theirs.length),
      mirror: String(ours.length),
    };
  }
  for (const [i, their] of theirs.entries()) {
    const our = ours[i] as Column; // there are as many
    const place = `column ${their.name} (number ${i + 1})`;
    if (their.name !== our.name) {
      return { place: `${place}: name`, primary: their.name, mirror: our.name };
    }
    if (!types.areSame(their.typeOid, our.typeOid)) {
      return {
        place: `${place}: type`,
        primary: typeName(their, types.primary.names),
        mirror: typeName(our, types.mirror.names),
      };
    }
    if (their.isBinary !== our.isBinary) {
      return {
        place: `${place}: format`,
        primary: formatOf(their),
        mirror: formatOf(our),
      };
    }
  }
  return NO_DIFFERENCE;
}

function columnsOf(answer: Uint8Array): readonly Column[] {
  const description = leadingDescription(answer);
  return description === undefined ? [] : readColumns(description);
}

function formatOf({ isBinary }: Column): string {
  return isBinary ? "binary" : "text";
}
