import type { TlsMaterial } from "../config/mod.ts";
import { type OpenSsl, openssl, type Reactor } from "../io/mod.ts";
import { certificateHash } from "./certificate_hash.ts";
import { clientsContext, serverContext, type TlsContext } from "./context.ts";
import { TlsTransport } from "./tls_transport.ts";

/** Steps of handshakes in one turn: each may take 2 ms of a core (RSA-2048), and everybody else waits. */
const SHAKES_PER_TURN = 4;

/** TLS of one worker thread: OpenSSL, and the certificates in force. */
export class TlsContexts {
  #material: TlsMaterial;
  #library: OpenSsl | undefined;
  #clients: TlsContext | undefined;
  /** Of the certificate that clients are shown; undefined: no login can be bound to it. */
  #hash: Uint8Array | undefined;
  #servers = new Map<string, TlsContext>();
  #shakes = 0;

  /** @throws {Error} if OpenSSL is not there, or does not take a certificate or a key. */
  constructor(material: TlsMaterial) {
    this.#material = material;
    this.#load(material);
  }

  /** Bounds the handshakes in each turn of `reactor`. */
  attach(reactor: Reactor): void {
    reactor.onTurnBegin(() => this.#shakes = 0);
  }

  /**
   * Takes other certificates for connections to come; those that are there stay.
   *
   * @throws {Error} as the constructor; all stays as it was.
   */
  replace(material: TlsMaterial): void {
    if (material.version === this.#material.version) return;
    const next = new TlsContexts(material);
    this.close();
    this.#material = material;
    this.#library = next.#library;
    this.#clients = next.#clients;
    this.#hash = next.#hash;
    this.#servers = next.#servers;
  }

  /** Clients may use TLS. */
  get hasClients(): boolean {
    return this.#clients !== undefined;
  }

  /** As {@linkcode openssl} says it; "" while nothing uses TLS. */
  get version(): string {
    return this.#library?.version ?? "";
  }

  /**
   * Our side of TLS with a client.
   *
   * @returns with the hash of the certificate that it is shown, if a login can be bound to it.
   * @throws {Error} if there is no certificate any more.
   */
  toClient(fd: number): {
    readonly transport: TlsTransport;
    readonly certificateHash: Uint8Array | undefined;
  } {
    if (this.#clients === undefined) throw new Error("there is no certificate");
    const transport = this.#transport(this.#clients, fd);
    return { transport, certificateHash: this.#hash };
  }

  /**
   * Our side of TLS with a server.
   *
   * @param name of its database.
   * @throws {Error} if the server is not known any more.
   */
  toServer(fd: number, name: string): TlsTransport {
    const context = this.#servers.get(name);
    if (context === undefined) throw new Error(`"${name}" is not known`);
    return this.#transport(context, fd);
  }

  /** Takes a step of a handshake off this turn's. False: not in this turn. */
  takeShake(): boolean {
    return ++this.#shakes <= SHAKES_PER_TURN;
  }

  /** Connections that have begun go on. */
  close(): void {
    this.#clients?.free();
    for (const context of this.#servers.values()) context.free();
    this.#clients = undefined;
    this.#servers = new Map();
  }

  #transport(context: TlsContext, fd: number): TlsTransport {
    return new TlsTransport(this.#library as OpenSsl, context, fd); // behind each context
  }

  #load({ clients, servers, folder }: TlsMaterial): void {
    const names = Object.entries(servers);
    if (clients === undefined && names.length === 0) return;
    const library = this.#library = openssl(folder);
    try {
      if (clients !== undefined) {
        this.#clients = clientsContext(library, clients);
        this.#hash = certificateHash(clients.certificate);
      }
      for (const [name, server] of names) {
        this.#servers.set(name, serverContext(library, server));
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }
}
