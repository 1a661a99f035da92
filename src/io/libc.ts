/**
 * The C library calls that the reactor needs, and nothing else. This folder is
 * the only one that opens dynamic libraries: this one, and openssl.ts.
 *
 * Lengths are declared `u32` and results `i32` although C says `size_t` and
 * `ssize_t`: no call here moves 2 GiB at once, and 64-bit values would leave
 * Deno's fast call path and come back as BigInt.
 *
 * `errno` cannot be read reliably after a call has returned (the runtime makes
 * calls of its own in between), so nothing here does: -1 means "not now", and
 * the level-triggered reactor, or SO_ERROR, says whether a socket is dead.
 *
 * @module
 */

const SYMBOLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  accept4: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
  setsockopt: {
    parameters: ["i32", "i32", "i32", "buffer", "u32"],
    result: "i32",
  },
  getsockopt: {
    parameters: ["i32", "i32", "i32", "buffer", "buffer"],
    result: "i32",
  },
  getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  recv: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  write: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  sigprocmask: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  setpriority: { parameters: ["i32", "u32", "i32"], result: "i32" },
  // Not in every C library.
  mallopt: { parameters: ["i32", "i32"], result: "i32", optional: true },
  clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
} as const;

type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/** True where the reactor can run: Linux on x86-64 or aarch64. */
export function isSupportedPlatform(): boolean {
  return Deno.build.os === "linux" &&
    (Deno.build.arch === "x86_64" || Deno.build.arch === "aarch64");
}

function open(): Libc {
  if (!isSupportedPlatform()) {
    throw new Error(
      `PgDog Mirror runs on Linux x64 and arm64, this is ${Deno.build.os} ${Deno.build.arch}`,
    );
  }
  // glibc first; musl systems ship the same calls under another name.
  for (const name of ["libc.so.6", "libc.so"]) {
    try {
      return Deno.dlopen(name, SYMBOLS).symbols;
    } catch (cause) {
      if (name === "libc.so") {
        throw new Error("Cannot open the C library", { cause });
      }
    }
  }
  throw new Error("Cannot open the C library");
}

let opened: Libc | undefined;

/** The C library, opened at first use so that importing this file does no I/O. */
export function libc(): Libc {
  opened ??= open();
  return opened;
}

// Values of <sys/socket.h>, <netinet/tcp.h>, <sys/epoll.h>, <signal.h> and <time.h>; the
// same on x86-64 and aarch64.
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_ERROR = 4;
export const SO_KEEPALIVE = 9;
export const SO_LINGER = 13;
export const SO_REUSEPORT = 15;
export const IPPROTO_TCP = 6;
export const TCP_NODELAY = 1;
export const TCP_INFO = 11;
export const IPPROTO_IPV6 = 41;
export const IPV6_V6ONLY = 26;
export const SHUT_WR = 1;
export const MSG_PEEK = 2;
export const MSG_NOSIGNAL = 0x4000;
export const EPOLL_CLOEXEC = 0o2000000;
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;
export const EFD_NONBLOCK = 0o4000;
export const EFD_CLOEXEC = 0o2000000;
export const SIG_UNBLOCK = 1;
export const CLOCK_MONOTONIC = 1;
export const PRIO_PROCESS = 0;
export const M_TRIM_THRESHOLD = -1; // <malloc.h>
