import { isIPv4, isIPv6 } from "node:net";
import { AF_INET, AF_INET6, AF_UNIX } from "./libc.ts";

/** A socket address as the kernel wants it: `struct sockaddr_*` bytes. */
export interface SocketAddress {
  readonly family: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const SUN_PATH_BYTES = 108; // <sys/un.h>

/**
 * Encodes a numeric IPv4 or IPv6 address, or the path of a unix socket
 * (`host` begins with `/`; the port is part of the file name, as in libpq).
 *
 * @throws {TypeError} if `host` is a name: names are resolved on the main thread.
 */
export function socketAddress(host: string, port: number): SocketAddress {
  if (host.startsWith("/")) return unixAddress(`${host}/.s.PGSQL.${port}`);
  if (isIPv4(host)) {
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, AF_INET, true);
    view.setUint16(2, port);
    host.split(".").forEach((part, i) => bytes[4 + i] = Number(part));
    return { family: AF_INET, bytes };
  }
  const bare = host.replace(/^\[|\]$/g, "");
  if (isIPv6(bare)) {
    const bytes = new Uint8Array(28);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, AF_INET6, true);
    view.setUint16(2, port);
    ipv6Groups(bare).forEach((group, i) => view.setUint16(8 + 2 * i, group));
    return { family: AF_INET6, bytes };
  }
  throw new TypeError(`Not a numeric address: "${host}"`);
}

function unixAddress(path: string): SocketAddress {
  const encoded = new TextEncoder().encode(path);
  if (encoded.length >= SUN_PATH_BYTES) {
    throw new RangeError(`Unix socket path is too long: "${path}"`);
  }
  const bytes = new Uint8Array(2 + encoded.length + 1);
  new DataView(bytes.buffer).setUint16(0, AF_UNIX, true);
  bytes.set(encoded, 2);
  return { family: AF_UNIX, bytes };
}

function ipv6Groups(host: string): number[] {
  // An embedded IPv4 tail (::ffff:1.2.3.4) stands for two groups.
  const tail = host.match(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/);
  const text = tail
    ? host.slice(0, tail.index) +
      [[tail[1], tail[2]], [tail[3], tail[4]]]
        .map(([a, b]) => (Number(a) * 256 + Number(b)).toString(16)).join(":")
    : host;
  const [left = "", right] = text.split("::");
  const parse = (part: string) =>
    part === "" ? [] : part.split(":").map((group) => parseInt(group, 16));
  const head = parse(left);
  if (right === undefined) return head;
  const end = parse(right);
  return [...head, ...new Array(8 - head.length - end.length).fill(0), ...end];
}

/** The printable host and the port of `struct sockaddr` bytes, for SHOW and logs. */
export function describeAddress(
  bytes: Uint8Array,
): { host: string; port: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const family = view.getUint16(0, true);
  if (family === AF_INET) {
    return { host: bytes.subarray(4, 8).join("."), port: view.getUint16(2) };
  }
  if (family === AF_INET6) {
    const groups = Array.from(
      { length: 8 },
      (_, i) => view.getUint16(8 + 2 * i),
    );
    const mapped = groups.slice(0, 5).every((g) => g === 0) &&
      groups[5] === 0xffff;
    const host = mapped
      ? bytes.subarray(20, 24).join(".")
      : new URL(`http://[${groups.map((g) => g.toString(16)).join(":")}]`)
        .hostname.slice(1, -1);
    return { host, port: view.getUint16(2) };
  }
  return { host: "local", port: 0 };
}
