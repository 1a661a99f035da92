import type { Shape } from "../sql/shape.ts";
import type { Output } from "../sql/trait.ts";

/** Whether the moment may decide what a statement answers, by its own text. */
export function turnsOnMoment(shape: Shape): boolean {
  const { kind, locks, counts, outputs } = shape;
  if (kind !== "read" || locks || shape.note !== undefined) return false;
  return counts.some(({ rule }) => rule === "boundary") ||
    (outputs?.some(hasMoment) ?? false);
}

function hasMoment({ trait }: Output): boolean {
  return trait.parts.some(({ mask }) =>
    mask === "boundary" || mask === "moment"
  );
}
