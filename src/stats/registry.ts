import { createLayout, type StatsLayout, stripeViews } from "./layout.ts";
import { type StatsSnapshot, takeSnapshot } from "./snapshot.ts";
import { checkSpec, type MetricSpec } from "./spec.ts";

const MAX_SERIES = 256;

/**
 * The one place where numbers are kept. Metrics are declared, then the layout
 * freezes, then workers count into their stripes and the main thread takes
 * snapshots. It outlives a reload.
 */
export class Registry {
  readonly #specs: MetricSpec[] = [];
  #layout: StatsLayout | undefined;

  /** @throws {TypeError} for an ill-formed or repeated metric, or after {@linkcode Registry.freeze}. */
  declare(spec: MetricSpec): void {
    checkSpec(spec);
    if (this.#layout !== undefined) {
      throw new TypeError(
        `Metric "${spec.name}" is declared after the workers have started`,
      );
    }
    if (this.has(spec.name)) {
      throw new TypeError(`Metric "${spec.name}" is declared twice`);
    }
    this.#specs.push(spec);
  }

  has(name: string): boolean {
    return this.#specs.some((spec) => spec.name === name);
  }

  /** Ends the declarations. @param options.maxSeries bound on label sets in each stripe. */
  freeze(
    options: { readonly stripes: number; readonly maxSeries?: number },
  ): StatsLayout {
    this.#layout ??= createLayout(
      this.#specs,
      options.stripes,
      options.maxSeries ?? MAX_SERIES,
    );
    return this.#layout;
  }

  /** All metrics now; none before {@linkcode Registry.freeze}. */
  snapshot(): StatsSnapshot {
    if (this.#layout === undefined) {
      return { at: Date.now(), metrics: [], get: () => undefined };
    }
    return takeSnapshot(this.#layout, this.#specs);
  }

  /** Tells the stripes that a new window begins: maxima start over. */
  bumpResetEpoch(): void {
    if (this.#layout === undefined) return;
    Atomics.add(stripeViews(this.#layout, 0).control, 0, 1);
  }
}
