import { cellsPerValue, type MetricSpec, type Scope } from "./spec.ts";

/**
 * Where each cell lies. Structured-cloneable: it goes to the workers by
 * postMessage, and all of them share its buffer.
 *
 * ```
 * buffer: control words (i32) | directory of series | per stripe: cells (f64)
 * control: window epoch | per stripe: epoch of the window that its maxima are of
 * cells of a stripe: process series | mirror series 0 (the shared "other") | 1 | …
 * ```
 */
export interface StatsLayout {
  readonly buffer: SharedArrayBuffer;
  readonly stripes: number;
  readonly maxSeries: number;
  /** Cells of the process series, and of one mirror series. */
  readonly processCells: number;
  readonly mirrorCells: number;
  readonly metrics: readonly MetricLayout[];
}

/** A metric's place in its series. */
export interface MetricLayout {
  readonly name: string;
  readonly scope: Scope;
  readonly offset: number;
  /** Over all values of its label. */
  readonly cells: number;
  readonly buckets: readonly number[];
  readonly windowed: boolean;
}

/** Bound in bytes of a label value; PostgreSQL's names have at most 63 (NAMEDATALEN - 1). */
export const LABEL_BYTES = 64;
/** Words of the control area. */
export const WINDOW_EPOCH = 0;
export const STRIPE_EPOCHS = 1;

const LABELS = 3;
const SERIES_BYTES = LABEL_BYTES * LABELS;

/** @param stripes one for each worker that counts. */
export function createLayout(
  specs: readonly MetricSpec[],
  stripes: number,
  maxSeries: number,
): StatsLayout {
  const used = { process: 0, mirror: 0 };
  const metrics = specs.map((spec): MetricLayout => {
    const { name, scope, buckets = [], windowed = false } = spec;
    const offset = used[scope];
    const cells = cellsPerValue(spec) * (spec.label?.values.length ?? 1);
    used[scope] += cells;
    return { name, scope, offset, cells, buckets, windowed };
  });
  const layout = {
    stripes,
    maxSeries,
    processCells: used.process,
    mirrorCells: used.mirror,
    metrics,
  };
  const bytes = cellsOffset(layout) + stripes * cellsOfStripe(layout) * 8;
  return { ...layout, buffer: new SharedArrayBuffer(bytes) };
}

type Sizes = Omit<StatsLayout, "buffer" | "metrics">;

/** The words that all threads share. */
export function controlView(layout: StatsLayout): Int32Array {
  return new Int32Array(layout.buffer, 0, STRIPE_EPOCHS + layout.stripes);
}

/** The directory: a state for each series, and its label values. */
export function directoryViews(layout: StatsLayout) {
  const { buffer, maxSeries } = layout;
  const states = controlBytes(layout);
  const labels = states + align(maxSeries * 4);
  return {
    states: new Int32Array(buffer, states, maxSeries),
    labels: new Uint8Array(buffer, labels, maxSeries * SERIES_BYTES),
  };
}

/** The cells of one stripe. */
export function cellsView(layout: StatsLayout, stripe: number) {
  const length = cellsOfStripe(layout);
  const offset = cellsOffset(layout) + stripe * length * 8;
  return new Float64Array(layout.buffer, offset, length);
}

/** Byte offset of a series' label in the directory's labels. */
export function labelOffset(series: number, label: number): number {
  return series * SERIES_BYTES + label * LABEL_BYTES;
}

function controlBytes({ stripes }: Sizes): number {
  return align((STRIPE_EPOCHS + stripes) * 4);
}

function cellsOffset(sizes: Sizes): number {
  return controlBytes(sizes) + align(sizes.maxSeries * 4) +
    sizes.maxSeries * SERIES_BYTES;
}

function cellsOfStripe(sizes: Sizes): number {
  // To the cache line, so that two workers never write to one.
  const { processCells, mirrorCells, maxSeries } = sizes;
  return align((processCells + mirrorCells * maxSeries) * 8) / 8;
}

const CACHE_LINE_BYTES = 64;

function align(bytes: number): number {
  return Math.ceil(bytes / CACHE_LINE_BYTES) * CACHE_LINE_BYTES;
}
