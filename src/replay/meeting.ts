import { normalOf } from "../judge/mod.ts";
import { type TouchedRows, valueOf } from "../sql/pinned_values.ts";
import { type Footprint, NONE, type Relations } from "./footprint.ts";

/** Stands for a relation: who writes rows of it that are not told apart. */
const ANY = "\0any";
/** Behind a relation, with a value behind it: who writes rows with the value. */
const ROW = "\0=";

/** Where a statement meets others. */
export type Meeting = Pick<Footprint, "touched" | "written">;

const known = new WeakMap<Footprint, Meeting>();

/**
 * Where one execution of a statement meets others: not where both write or read
 * known rows of a relation, and these are other ones. A writer of known rows
 * stands at its relation and at the rows, any other at its relation and at "any
 * row" of it. Who touches known rows looks at these and at "any row"; who
 * touches any looks at the relation.
 *
 * @param rows that it touches, if they are known.
 */
export function meetingOf(footprint: Footprint, rows?: TouchedRows): Meeting {
  let meeting = known.get(footprint);
  if (meeting === undefined) known.set(footprint, meeting = ofAll(footprint));
  const { rows: by } = footprint;
  if (by?.by !== "column" || rows?.relation !== by.relation) return meeting;
  const value = valueOf(rows.values, by.column);
  const text = value && normalOf(value, by.typeOid);
  if (text === undefined) return meeting;
  const row = by.relation + ROW + text;
  const others = (all: Relations) =>
    (all as readonly string[]).filter((name) => name !== by.relation); // not "all": its rows are told apart
  return {
    touched: [...others(footprint.touched), by.relation + ANY, row],
    written: footprint.written.length === 0
      ? NONE
      : [...anyRows(others(footprint.written)), by.relation, row],
  };
}

function ofAll({ touched, written, rows }: Footprint): Meeting {
  if (touched === "all" || written === "all") return { touched, written };
  if (rows?.by !== "append") return { touched, written: anyRows(written) };
  const { relation } = rows;
  const isOther = (name: string) => name !== relation;
  return {
    touched: [...touched.filter(isOther), relation + ANY],
    written: [...anyRows(written.filter(isOther)), relation],
  };
}

/** What is no relation has no rows. */
function anyRows(written: readonly string[]): readonly string[] {
  return written.flatMap((name) =>
    name.includes("\0") ? [name] : [name, name + ANY]
  );
}
