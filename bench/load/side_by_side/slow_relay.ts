import { connect, createServer, type Socket } from "node:net";
import { HOST } from "../support.ts";

/** A server that can be connected to. */
export interface Relay extends AsyncDisposable {
  readonly port: number;
}

/**
 * A relay that makes a server so many times slower: what it says is handed on
 * after a multiple of the time that has passed since the request. Timers have
 * whole milliseconds, so that a reply takes no less than one.
 */
export async function startSlowRelay(
  target: number,
  factor: number,
): Promise<Relay> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ host: HOST, port: target, noDelay: true });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    /** Not handed on yet. */
    const waiting: Uint8Array[] = [];
    let askedMs = performance.now();
    client.on("data", (chunk: Uint8Array) => {
      if (waiting.length === 0) askedMs = performance.now();
      upstream.write(chunk);
    });
    upstream.on("data", (chunk: Uint8Array) => {
      waiting.push(chunk);
      const tookMs = performance.now() - askedMs;
      // Whichever timer is first takes the oldest: the order stays.
      setTimeout(() => {
        const oldest = waiting.shift();
        if (oldest !== undefined) client.write(oldest);
      }, (factor - 1) * tookMs);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const { port } = server.address() as { port: number };
  return {
    port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
