import type { Catalog } from "../catalog/mod.ts";
import { analyze } from "../sql/analyze.ts";
import type { Shape } from "../sql/shape.ts";

/** What triggers, rules and functions run behind statements, by one catalog. */
export class ShapesBehind {
  readonly #catalog: Catalog;
  readonly #shapes = new Map<string, Shape | undefined>();

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** The statements that write where one does, itself included. */
  of(shape: Shape): ReadonlySet<Shape> {
    const shapes = new Set([shape]);
    // A set gives what is added to it while it is walked.
    for (const { writes, calls } of shapes) {
      for (const text of this.#catalog.writesBehind(writes, calls)) {
        const behind = this.#shapeOf(text);
        if (behind !== undefined) shapes.add(behind);
      }
    }
    return shapes;
  }

  #shapeOf(text: string): Shape | undefined {
    if (!this.#shapes.has(text)) {
      this.#shapes.set(text, analyze(text)?.shapes[0]);
    }
    return this.#shapes.get(text);
  }
}
