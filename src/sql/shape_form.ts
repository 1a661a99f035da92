import type { Shape } from "./shape.ts";

/** A form of a shape: the same object each time. */
export function formOf(
  shape: Shape,
  known: WeakMap<Shape, Shape>,
  changes: Partial<Shape>,
): Shape {
  let form = known.get(shape);
  if (form === undefined) {
    form = { ...shape, ...changes, base: shape.base ?? shape };
    known.set(shape, form);
  }
  return form;
}
