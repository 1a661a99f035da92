import * as c from "./libc.ts";

/**
 * Two connected stream sockets, non-blocking, or undefined without
 * descriptors. What one writes the other reads.
 */
export function socketPair(): readonly [number, number] | undefined {
  const pair = new Int32Array(2);
  const result = c.libc().socketpair(
    c.AF_UNIX,
    c.SOCK_STREAM | c.SOCK_NONBLOCK | c.SOCK_CLOEXEC,
    0,
    new Uint8Array(pair.buffer),
  );
  if (result < 0) return undefined;
  return [pair[0] as number, pair[1] as number]; // written by the kernel
}

// struct pollfd: int fd, short events, short revents.
const pollfd = new DataView(new ArrayBuffer(8));
const pollfdBytes = new Uint8Array(pollfd.buffer);

/** Whether both directions of a socket are closed: its peer has gone, and has not only half-closed. */
export function isHungUp(fd: number): boolean {
  pollfd.setInt32(0, fd, true);
  pollfd.setInt32(4, 0, true);
  c.libc().poll(pollfdBytes, 1, 0);
  return (pollfd.getInt16(6, true) & c.POLLHUP) !== 0;
}
