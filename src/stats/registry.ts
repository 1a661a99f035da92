import {
  controlView,
  createLayout,
  type StatsLayout,
  WINDOW_EPOCH,
} from "./layout.ts";
import { SnapshotReader, type StatsSnapshot } from "./snapshot.ts";
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
  #reader: SnapshotReader | undefined;

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

  /**
   * Ends the declarations; called again, it gives the same layout.
   *
   * @param options.maxSeries bound on label sets, the shared "other" included. Default 256.
   */
  freeze(
    options: { readonly stripes: number; readonly maxSeries?: number },
  ): StatsLayout {
    const { stripes, maxSeries = MAX_SERIES } = options;
    this.#layout ??= createLayout(this.#specs, stripes, maxSeries);
    this.#reader ??= new SnapshotReader(this.#layout, this.#specs);
    return this.#layout;
  }

  /**
   * All metrics now; none before {@linkcode Registry.freeze}.
   *
   * @param replaced cells of a stripe as its worker has copied them.
   */
  snapshot(
    replaced?: { readonly stripe: number; readonly cells: Float64Array },
  ): StatsSnapshot {
    return this.#reader?.read(replaced) ??
      { at: Date.now(), metrics: [], get: () => undefined };
  }

  /** Goes up by one with each new window. */
  get resetEpoch(): number {
    return this.#layout === undefined
      ? 0
      : Atomics.load(controlView(this.#layout), WINDOW_EPOCH);
  }

  /** Tells the stripes that a new window begins: maxima start over. */
  bumpResetEpoch(): void {
    if (this.#layout === undefined) return;
    Atomics.add(controlView(this.#layout), WINDOW_EPOCH, 1);
  }
}
