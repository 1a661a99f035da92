import { getHeapStatistics, type HeapInfo } from "node:v8";

/** Operations of one reading. */
const TIMES = 300_000;
const ROUNDS = 7;
/** Operations of one reading of what lies outside: few, so that no collection comes between. */
const FEW = 1_000;
/** Enough for V8 to compile an operation as it will stay. */
const WARM_UP = 200_000;

/** Bytes of one operation. */
export interface Allocated {
  readonly name: string;
  /** On V8's heap: objects, closures, strings, boxed numbers, and the heads of typed arrays. */
  readonly heapBytes: number;
  /** Outside of it: the memory of typed arrays of more than 64 bytes. */
  readonly bufferBytes: number;
}

/**
 * What `operation` allocates each time.
 *
 * On the heap: V8's own count of all it has ever allocated
 * (`total_allocated_bytes`), before and after {@linkcode TIMES} operations;
 * collections in between do not matter. It grows by whole allocation areas, and
 * the compiler allocates, too, so that a byte or two of a reading are nobody's:
 * the smallest of {@linkcode ROUNDS} readings is taken. Outside: the median
 * difference of `external_memory`, which falls at a collection, over
 * {@linkcode FEW} operations.
 */
export function allocated(name: string, operation: () => void): Allocated {
  repeat(operation, WARM_UP);
  return {
    name,
    heapBytes: readings("total_allocated_bytes", operation, TIMES)[0] ?? NaN,
    bufferBytes: readings("external_memory", operation, FEW)[ROUNDS >> 1] ??
      NaN,
  };
}

/** The type of Node.js's statistics may not have the first yet. */
type Count = "total_allocated_bytes" | "external_memory";

/** Bytes of one operation, {@linkcode ROUNDS} times, ascending. */
function readings(
  count: Count,
  operation: () => void,
  times: number,
): number[] {
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = read(count);
    repeat(operation, times);
    rounds.push((read(count) - before) / times);
  }
  return rounds.sort((a, b) => a - b);
}

function read(count: Count): number {
  const statistics: HeapInfo & Partial<Record<Count, number>> =
    getHeapStatistics();
  const value = statistics[count];
  if (value === undefined) throw new Error(`This V8 does not count ${count}`);
  return value;
}

function repeat(operation: () => void, times: number): void {
  for (let i = 0; i < times; i++) operation();
}
