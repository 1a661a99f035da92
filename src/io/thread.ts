import { libc, M_TRIM_THRESHOLD, PRIO_PROCESS } from "./libc.ts";

/**
 * Lets other threads go first where there are too few cores. On Linux a nice
 * value belongs to the thread that sets it (setpriority(2), "C library/kernel
 * differences").
 *
 * @param nice 0 to 19.
 */
export function setNice(nice: number): void {
  libc().setpriority(PRIO_PROCESS, 0, nice);
}

/**
 * Keeps freed memory for the next allocation, up to `bytes`. glibc gives a
 * thread's memory back to the kernel at once and asks for it again page by
 * page: one mprotect(2) for every second transaction was measured without this.
 */
export function keepFreedMemory(bytes: number): void {
  libc().mallopt?.(M_TRIM_THRESHOLD, bytes);
}
