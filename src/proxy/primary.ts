import { connect } from "../io/mod.ts";
import { Dial } from "../tls/mod.ts";
import type { ProxyContext } from "./context.ts";
import type { Route } from "./route.ts";

/** Who gets a connection to a primary. */
export interface PrimaryOwner {
  /**
   * `fd` is the owner's.
   *
   * @param connecting it becomes writable when it is open or has failed.
   * @param encrypted TLS is behind it.
   */
  onOpen(fd: number, connecting: boolean, encrypted: boolean): void;
  onFailed(reason: string): void;
}

/**
 * Begins a connection to a route's primary: in clear at once, else through a
 * dial, which is returned and which the owner must close when it loses
 * patience.
 */
export function openPrimary(
  context: ProxyContext,
  route: Route,
  owner: PrimaryOwner,
): Dial | undefined {
  const { reactor, tls } = context;
  try {
    if (tls === undefined || route.tls === undefined) {
      owner.onOpen(connect(route.address), true, false);
      return undefined;
    }
    return new Dial(reactor, tls, { address: route.address, ...route.tls }, {
      onOpen: (fd, encrypted) => owner.onOpen(fd, false, encrypted),
      onFailed: (reason) => owner.onFailed(reason),
    });
  } catch (error) {
    owner.onFailed((error as Error).message);
    return undefined;
  }
}
