import { EFD_CLOEXEC, EFD_NONBLOCK, libc } from "./libc.ts";

const ONE = new Uint8Array(new BigUint64Array([1n]).buffer);
const sink = new Uint8Array(8);

/** An eventfd: any thread may signal it, the reactor that watches it wakes up. */
export function createWake(): number {
  const fd = libc().eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) throw new Error("Cannot create an eventfd: out of descriptors");
  return fd;
}

/** Wakes the reactor that watches `fd`. */
export function signalWake(fd: number): void {
  libc().write(fd, ONE, 8);
}

/** Takes the signal back, so that a level-triggered reactor comes to rest. */
export function clearWake(fd: number): void {
  libc().read(fd, sink, 8);
}
