import { Buffer } from "node:buffer";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { createSecureContext, TLSSocket } from "node:tls";
import type { Certificate } from "./certificates.ts";
import { freePort } from "./proxy.ts";
import { askForTls, startTls, tcp } from "./tls_client.ts";

export interface InterceptorOptions {
  /** Where it passes on what it hears. */
  readonly port: number;
  /** What it shows to clients. */
  readonly certificate: Certificate;
  /** Changes what the server says, chunk by chunk. */
  readonly change?: (chunk: Uint8Array) => Uint8Array;
}

/** Somebody in the middle: ends a client's TLS, and speaks TLS of its own to the server. */
export class Interceptor implements AsyncDisposable {
  readonly port = freePort();
  readonly #options: InterceptorOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(options: InterceptorOptions) {
    this.#options = options;
    this.#server = createServer((client) => void this.#serve(client));
  }

  static async start(options: InterceptorOptions): Promise<Interceptor> {
    const interceptor = new Interceptor(options);
    interceptor.#server.listen(interceptor.port, "127.0.0.1");
    await once(interceptor.#server, "listening");
    return interceptor;
  }

  async #serve(client: Socket): Promise<void> {
    const { port, certificate: { certificate, key }, change } = this.#options;
    this.#keep(client);
    await once(client, "data"); // SSLRequest
    const raw = await tcp(port);
    this.#keep(raw);
    await askForTls(raw);
    const server = await startTls(raw);
    this.#keep(server);
    client.write("S");
    const shown = new TLSSocket(client, {
      isServer: true,
      secureContext: createSecureContext({ cert: certificate, key }),
    });
    this.#keep(shown);
    shown.pipe(server);
    server.on("data", (chunk: Uint8Array) => {
      shown.write(Buffer.from(change?.(chunk) ?? chunk));
    });
    server.on("end", () => shown.end());
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}
