import { connect, SocketTransport, type Transport } from "../io/mod.ts";
import { Dial } from "../tls/mod.ts";
import type { ProxyContext } from "./context.ts";
import type { Route } from "./route.ts";

/** Who gets a connection to a primary. */
export interface PrimaryOwner {
  /**
   * `fd` and its transport are the owner's.
   *
   * @param connecting it becomes writable when it is open or has failed.
   */
  onOpen(fd: number, transport: Transport, connecting: boolean): void;
  onFailed(reason: string): void;
}

/**
 * Begins a connection to a route's primary: in clear at once, else through a
 * dial, which is returned and which the owner must close when it loses
 * patience.
 */
export function openPrimary(
  { reactor, tls }: Pick<ProxyContext, "reactor" | "tls">,
  route: Route,
  owner: PrimaryOwner,
): Dial | undefined {
  try {
    if (route.tls === undefined) {
      const fd = connect(route.address);
      owner.onOpen(fd, new SocketTransport(fd), true);
      return undefined;
    }
    return new Dial(reactor, tls, { address: route.address, ...route.tls }, {
      onOpen: (fd, transport) => owner.onOpen(fd, transport, false),
      onFailed: (reason) => owner.onFailed(reason),
    });
  } catch (error) {
    owner.onFailed((error as Error).message);
    return undefined;
  }
}
