import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { type SocketAddress, socketAddress } from "./io/mod.ts";

/**
 * The address of `host`, which may be a name, a numeric address or the folder
 * of a unix socket. Names are resolved here, on the main thread: workers block.
 *
 * @throws {Error} naming the host that has no address.
 */
export async function resolveAddress(
  host: string,
  port: number,
): Promise<SocketAddress> {
  if (host.startsWith("/") || isIP(host) !== 0) {
    return socketAddress(host, port);
  }
  try {
    const { address } = await lookup(host);
    return socketAddress(address, port);
  } catch (cause) {
    throw new Error(`Host "${host}" has no address`, { cause });
  }
}

/** An address that can't be listened on; its message names the port. */
export class ListenError extends Error {
  override name = "ListenError";
}

/**
 * Finds out whether `host:port` is free, and why not: the workers' own
 * listening can't tell, and with SO_REUSEPORT two proxies could share a port
 * by accident.
 *
 * @throws {ListenError}
 */
export function checkPortFree(host: string, port: number): void {
  try {
    Deno.listen({ hostname: host, port }).close();
  } catch (cause) {
    throw new ListenError(listenProblem(host, port, cause), { cause });
  }
}

/** Why listening on `host:port` failed, in words. */
export function listenProblem(
  host: string,
  port: number,
  cause: unknown,
): string {
  const reason = cause instanceof Deno.errors.AddrInUse
    ? "another process listens there"
    : cause instanceof Deno.errors.PermissionDenied
    ? "not permitted"
    : String((cause as Error).message ?? cause);
  return `Cannot listen on ${host}:${port}: ${reason}`;
}
