import type { TypePair } from "../catalog/mod.ts";
import { leadingDescription } from "./answer.ts";
import { type Column, readColumns, typeName } from "./columns.ts";
import { type DifferenceText, NO_DIFFERENCE } from "./difference.ts";

/** The first column that two answers describe otherwise, in words. They hold no value. */
export function columnDifference(
  primary: Uint8Array,
  mirror: Uint8Array,
  types: TypePair,
): DifferenceText {
  const theirs = columnsOf(primary);
  const ours = columnsOf(mirror);
  if (theirs.length !== ours.length) {
    return differ("columns", `${theirs.length}`, `${ours.length}`);
  }
  for (const [i, their] of theirs.entries()) {
    const our = ours[i] as Column; // there are as many
    const column = `column ${their.name}`;
    if (their.name !== our.name) {
      return differ(`${column}: name`, their.name, our.name);
    }
    if (!types.areSame(their.typeOid, our.typeOid)) {
      const a = typeName(their, types.primary.names);
      const b = typeName(our, types.mirror.names);
      return differ(`${column}: type`, a, b);
    }
    if (their.isBinary !== our.isBinary) {
      return differ(`${column}: format`, formatOf(their), formatOf(our));
    }
  }
  return NO_DIFFERENCE;
}

function differ(what: string, primary: string, mirror: string): DifferenceText {
  const place = `${what} ${primary} on the primary, ${mirror} on the mirror`;
  return { ...NO_DIFFERENCE, place };
}

function columnsOf(answer: Uint8Array): readonly Column[] {
  const description = leadingDescription(answer);
  return description === undefined ? [] : readColumns(description);
}

function formatOf({ isBinary }: Column): string {
  return isBinary ? "binary" : "text";
}
