import type { SocketAddress } from "./address.ts";
import * as c from "./libc.ts";

const ONE = new Uint8Array(new Int32Array([1]).buffer);
const ZERO = new Uint8Array(new Int32Array([0]).buffer);
// struct linger { l_onoff = 1, l_linger = 0 }: close sends RST.
const ABORTIVE = new Uint8Array(new Int32Array([1, 0]).buffer);
const errorCell = new Int32Array(1);
const errorBytes = new Uint8Array(errorCell.buffer);
const lengthCell = new Uint32Array(1);
const lengthBytes = new Uint8Array(lengthCell.buffer);

const BACKLOG = 1024;

/**
 * A non-blocking listening socket. Several threads may listen on the same
 * address (SO_REUSEPORT): the kernel spreads the connections.
 *
 * @throws {Error} if the address cannot be bound.
 */
export function listen(address: SocketAddress): number {
  const fd = newSocket(address.family);
  const { setsockopt, bind, listen, close } = c.libc();
  setsockopt(fd, c.SOL_SOCKET, c.SO_REUSEADDR, ONE, 4);
  setsockopt(fd, c.SOL_SOCKET, c.SO_REUSEPORT, ONE, 4);
  if (address.family === c.AF_INET6) {
    setsockopt(fd, c.IPPROTO_IPV6, c.IPV6_V6ONLY, ZERO, 4);
  }
  if (
    bind(fd, address.bytes, address.bytes.length) < 0 || listen(fd, BACKLOG) < 0
  ) {
    close(fd);
    throw new Error("Cannot bind the listening socket");
  }
  return fd;
}

/** The next waiting connection, non-blocking, or -1. Its address is written into `peer` (at least 28 bytes). */
export function accept(
  listener: number,
  peer: Uint8Array<ArrayBuffer>,
): number {
  lengthCell[0] = peer.length;
  return c.libc().accept4(
    listener,
    peer,
    lengthBytes,
    c.SOCK_NONBLOCK | c.SOCK_CLOEXEC,
  );
}

/**
 * Begins a connection. The socket becomes writable when it is made or has
 * failed, perhaps at once; {@linkcode connectError} tells which.
 */
export function connect(address: SocketAddress): number {
  const fd = newSocket(address.family);
  if (address.family !== c.AF_UNIX) configureTcp(fd);
  c.libc().connect(fd, address.bytes, address.bytes.length);
  return fd;
}

/** Sockets of this thread that we make have lower numbers. */
let ceiling = Infinity;

/** Leaves the descriptors from `first` on to other threads: no socket is made there. */
export function leaveDescriptors(first: number): void {
  ceiling = first;
}

/**
 * The number that the next descriptor gets, -1: there is none. The kernel gives
 * the lowest that is free (open(2)), so all below are in use.
 */
export function nextDescriptor(): number {
  const { socket, close } = c.libc();
  const fd = socket(c.AF_UNIX, c.SOCK_STREAM | c.SOCK_CLOEXEC, 0);
  if (fd >= 0) close(fd);
  return fd;
}

function newSocket(family: number): number {
  const { socket, close } = c.libc();
  const fd = socket(
    family,
    c.SOCK_STREAM | c.SOCK_NONBLOCK | c.SOCK_CLOEXEC,
    0,
  );
  if (fd >= 0 && fd < ceiling) return fd;
  if (fd >= 0) close(fd);
  throw new Error("Cannot create a socket: out of descriptors");
}

/** Sends small packets at once and notices dead peers. */
export function configureTcp(fd: number): void {
  const { setsockopt } = c.libc();
  setsockopt(fd, c.IPPROTO_TCP, c.TCP_NODELAY, ONE, 4);
  setsockopt(fd, c.SOL_SOCKET, c.SO_KEEPALIVE, ONE, 4);
}

/** The pending error of a socket as an errno value (0: none); reading it clears it. */
export function socketError(fd: number): number {
  lengthCell[0] = 4;
  errorCell[0] = 0;
  c.libc().getsockopt(fd, c.SOL_SOCKET, c.SO_ERROR, errorBytes, lengthBytes);
  return errorCell[0] as number;
}

const peer = new Uint8Array(128);
const ENOTCONN = 107; // <asm-generic/errno.h>

/**
 * Why a connect that is over has failed, as an errno value; 0: it has not. A
 * connect that fails at once (a missing unix socket, no route) leaves nothing
 * in SO_ERROR, and its errno is lost: then the answer is ENOTCONN.
 */
export function connectError(fd: number): number {
  const errno = socketError(fd);
  if (errno !== 0) return errno;
  lengthCell[0] = peer.length;
  return c.libc().getpeername(fd, peer, lengthBytes) === 0 ? 0 : ENOTCONN;
}

// struct tcp_info of <linux/tcp.h>: tcpi_min_rtt is the 32-bit word at byte 148.
const tcpInfo = new Uint8Array(232);
const tcpInfoWords = new Uint32Array(tcpInfo.buffer);
const MIN_RTT_WORD = 148 / 4;

/** The shortest round trip that the kernel has seen on a TCP connection, in microseconds; 0 if it can't tell. */
export function minRoundTripUs(fd: number): number {
  lengthCell[0] = tcpInfo.length;
  tcpInfoWords[MIN_RTT_WORD] = 0;
  const result = c.libc().getsockopt(
    fd,
    c.IPPROTO_TCP,
    c.TCP_INFO,
    tcpInfo,
    lengthBytes,
  );
  const microseconds = tcpInfoWords[MIN_RTT_WORD] as number;
  return result === 0 && microseconds !== 0xffff_ffff ? microseconds : 0;
}

/** errno values of <asm-generic/errno.h> in words, for the few that a connect meets. */
export function describeError(errno: number): string {
  switch (errno) {
    case 2:
      return "no such file or directory";
    case 13:
      return "permission denied";
    case 101:
      return "network is unreachable";
    case 104:
      return "connection reset by peer";
    case ENOTCONN:
      return "the address cannot be reached";
    case 110:
      return "connection timed out";
    case 111:
      return "connection refused";
    case 113:
      return "no route to host";
    default:
      return `error ${errno}`;
  }
}

/** Up to `length` bytes into `buffer`; 0 at end of stream; -1: not now. */
export function receive(
  fd: number,
  buffer: Uint8Array<ArrayBuffer>,
  length: number,
): number {
  return c.libc().recv(fd, buffer, length, 0);
}

/** As {@linkcode receive}, and leaves the bytes where they are. */
export function peek(
  fd: number,
  buffer: Uint8Array<ArrayBuffer>,
  length: number,
): number {
  return c.libc().recv(fd, buffer, length, c.MSG_PEEK);
}

/** Sends what the kernel takes of `bytes[0, length)`; -1: not now, or dead. */
export function send(
  fd: number,
  bytes: Uint8Array<ArrayBuffer>,
  length: number,
): number {
  return c.libc().send(fd, bytes, length, c.MSG_NOSIGNAL);
}

/** Half-close: the peer reads end of stream, we can still read. */
export function shutdownWrite(fd: number): void {
  c.libc().shutdown(fd, c.SHUT_WR);
}

/** Makes the coming close an RST instead of a FIN. */
export function setAbortive(fd: number): void {
  c.libc().setsockopt(fd, c.SOL_SOCKET, c.SO_LINGER, ABORTIVE, 8);
}

/** Closes a descriptor. Sockets known to a reactor are closed through it. */
export function closeDescriptor(fd: number): void {
  c.libc().close(fd);
}
