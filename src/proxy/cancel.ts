import { connectError, Endpoint, type Timer } from "../io/mod.ts";
import type { Dial } from "../tls/mod.ts";
import { hashCancelKey } from "../stats/connection_table.ts";
import type { ProxyContext } from "./context.ts";
import { openPrimary } from "./primary.ts";

/**
 * Sends a CancelRequest to the primary that issued its key, whichever worker
 * holds that session. The primary closes the connection when it has signalled
 * the backend; then `done` is called.
 *
 * @param packet length, code, process ID, secret key (4 to 256 bytes).
 * @returns false if nobody here issued the key, or there is no descriptor for
 *   it: as PostgreSQL, say nothing.
 */
export function sendCancel(
  context: ProxyContext,
  packet: Uint8Array<ArrayBuffer>,
  done: () => void,
): boolean {
  if (packet.length < 16) return false;
  const pid = new DataView(packet.buffer).getInt32(8);
  const hash = hashCancelKey(packet.subarray(12));
  const index = context.allClients
    .map((table) => table.findBackend(pid, hash))
    .find((route) => route >= 0);
  const route = index === undefined
    ? undefined
    : context.settings.routes[index];
  if (route === undefined) return false;
  // Declared first: without descriptors openPrimary fails before it returns.
  let endpoint: Endpoint | undefined;
  let dial: Dial | undefined = undefined;
  const finish = () => {
    context.reactor.cancel(timer);
    dial?.close();
    endpoint?.close();
    done();
  };
  const timer: Timer = context.reactor.after(
    context.settings.connectTimeoutMs,
    finish,
  );
  // Encrypted as the session is: who reads the key could cancel, too.
  dial = openPrimary(context, route, {
    onOpen(fd, transport, connecting) {
      endpoint = new Endpoint(
        context.reactor,
        {
          onBytes() {},
          onEnd: finish,
          onDeaf: finish,
          onDead: finish,
          onFault: finish,
          onDrained: (server) =>
            connectError(server.fd) === 0 ? server.resume() : finish(),
        },
        context.scratch,
        fd,
        transport,
        connecting,
      );
      endpoint.write(packet, packet.length);
    },
    onFailed: finish,
  });
  return true;
}
