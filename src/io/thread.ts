import { libc, M_TRIM_THRESHOLD, PRIO_PROCESS, SIG_UNBLOCK } from "./libc.ts";

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

/** Takes SIGHUP in the calling thread from now on, one that waited for it included. */
export function unblockHangup(): void {
  const set = new Uint8Array(128); // sigset_t: signal n is bit n - 1
  set[0] = 1;
  libc().sigprocmask(SIG_UNBLOCK, set, null);
}
