import { connect, createServer, type Socket } from "node:net";
import { concat } from "./wire_client.ts";

const SILENCE_MS = 30;

/** A server that can be connected to. */
export interface GatheringRelay extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
}

/** A relay that hands on what a server says in one piece, when it has been silent for a while. */
export async function startGatheringRelay(
  target: { readonly host: string; readonly port: number },
): Promise<GatheringRelay> {
  const sockets = new Set<Socket>();
  const listener = createServer({ noDelay: true }, (client) => {
    const server = connect({ ...target, noDelay: true });
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        client.destroy();
        server.destroy();
      });
    }
    client.pipe(server);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const said: Uint8Array[] = [];
    server.on("data", (chunk: Uint8Array) => {
      said.push(chunk);
      clearTimeout(timer);
      timer = setTimeout(() => {
        client.write(concat(said.splice(0)));
      }, SILENCE_MS);
    });
  });
  const host = "127.0.0.1";
  await new Promise<void>((resolve) => listener.listen(0, host, resolve));
  const { port } = listener.address() as { port: number };
  return {
    host,
    port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}
