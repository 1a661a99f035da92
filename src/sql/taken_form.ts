import type { Shape } from "./shape.ts";
import { type Output, type Remask, remasked } from "./trait.ts";

const CHOSEN: Remask = { choice: null };
const forms = new WeakMap<Shape, Shape>();

/** A statement whose locked rows are told: its LIMIT leaves no choice among them. */
export function takenForm(shape: Shape): Shape {
  if (shape.rowLocking?.isOnlyChoice !== true) return shape;
  let form = forms.get(shape);
  if (form === undefined) {
    form = {
      ...shape,
      limited: false,
      limit: undefined,
      counts: shape.counts.filter(({ rule }) => rule !== "choice"),
      outputs: shape.outputs?.map((output): Output => ({
        ...output,
        trait: remasked(output.trait, CHOSEN),
      })),
      base: shape.base ?? shape,
    };
    forms.set(shape, form);
  }
  return form;
}
