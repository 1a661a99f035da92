import { connect, createServer, type Socket } from "node:net";

/** A relay in front of a server that can hold back what goes through. */
export interface Gate extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Connections that have come. */
  readonly connections: number;
  /** Hands on what is held, and all that comes. */
  open(): void;
  /** Hands nothing on, in either direction. */
  shut(): void;
}

/** Starts an open gate. */
export async function startGate(
  target: { readonly host: string; readonly port: number },
): Promise<Gate> {
  const sockets = new Set<Socket>();
  let isOpen = true;
  let connections = 0;
  const listener = createServer({ noDelay: true }, (client) => {
    connections++;
    const server = connect({ ...target, noDelay: true });
    for (const [from, to] of [[client, server], [server, client]] as const) {
      sockets.add(from);
      from.on("data", (chunk) => to.write(chunk));
      from.on("end", () => to.end());
      from.on("error", () => to.destroy());
      from.on("close", () => sockets.delete(from));
      if (!isOpen) from.pause();
    }
  });
  const host = "127.0.0.1";
  await new Promise<void>((resolve) => listener.listen(0, host, resolve));
  const { port } = listener.address() as { port: number };
  return {
    host,
    port,
    get connections() {
      return connections;
    },
    open() {
      isOpen = true;
      for (const socket of sockets) socket.resume();
    },
    shut() {
      isOpen = false;
      for (const socket of sockets) socket.pause();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}
