import { CLOCK_MONOTONIC, libc } from "./libc.ts";

// struct timespec on 64-bit Linux: two 64-bit integers, seconds and
// nanoseconds. Seconds since boot and nanoseconds below 10^9 both fit in the
// low word.
const timespec = new Int32Array(4);
const timespecBytes = new Uint8Array(timespec.buffer);

/**
 * Microseconds of CLOCK_MONOTONIC. `performance.now()` starts at another zero
 * in each Worker; this clock is the same in all of them.
 */
export function monotonicUs(): number {
  libc().clock_gettime(CLOCK_MONOTONIC, timespecBytes);
  return (timespec[0] as number) * 1e6 + (timespec[2] as number) / 1e3;
}
