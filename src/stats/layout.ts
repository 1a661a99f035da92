import { cellsPerValue, type MetricSpec, MIRROR_LABELS } from "./spec.ts";

/**
 * Where each cell lies. Structured-cloneable: it goes to the workers by
 * postMessage, and all of them share its buffer.
 *
 * ```
 * buffer: control words | per stripe: cells (f64) | per stripe: series directory
 * cells of a stripe: process series | mirror series 0 (the shared "other") | 1 | …
 * directory: count (i32) | per series: LABEL_BYTES for each label, first byte the length
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
  readonly offset: number;
  readonly buckets: readonly number[];
}

/** Bound in bytes of a label value; PostgreSQL's names have at most 63 (NAMEDATALEN - 1). */
export const LABEL_BYTES = 64;
export const CONTROL_BYTES = 64;
const SERIES_BYTES = LABEL_BYTES * MIRROR_LABELS.length;

/** @param stripes one for each worker, and one for the main thread. */
export function createLayout(
  specs: readonly MetricSpec[],
  stripes: number,
  maxSeries: number,
): StatsLayout {
  const used = { process: 0, mirror: 0 };
  const metrics = specs.map((spec) => {
    const offset = used[spec.scope];
    used[spec.scope] += cellsPerValue(spec) * (spec.label?.values.length ?? 1);
    return { name: spec.name, offset, buckets: spec.buckets ?? [] };
  });
  const cells = used.process + used.mirror * maxSeries;
  const bytes = CONTROL_BYTES +
    stripes * (cells * 8 + directoryBytes(maxSeries));
  return {
    buffer: new SharedArrayBuffer(bytes),
    stripes,
    maxSeries,
    processCells: used.process,
    mirrorCells: used.mirror,
    metrics,
  };
}

/** Views of one stripe's part of the buffer. */
export function stripeViews(layout: StatsLayout, index: number) {
  const { buffer, stripes, maxSeries, processCells, mirrorCells } = layout;
  const cells = processCells + mirrorCells * maxSeries;
  const directory = CONTROL_BYTES + stripes * cells * 8 +
    index * directoryBytes(maxSeries);
  return {
    control: new Int32Array(buffer, 0, CONTROL_BYTES / 4),
    cells: new Float64Array(buffer, CONTROL_BYTES + index * cells * 8, cells),
    count: new Int32Array(buffer, directory, 1),
    labels: new Uint8Array(buffer, directory + 8, maxSeries * SERIES_BYTES),
  };
}

/** Byte offset of a series' label in the directory. */
export function labelOffset(series: number, label: number): number {
  return series * SERIES_BYTES + label * LABEL_BYTES;
}

function directoryBytes(maxSeries: number): number {
  return 8 + maxSeries * SERIES_BYTES;
}
