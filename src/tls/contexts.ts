import type { ServerTls, TlsIdentity, TlsMaterial } from "../config/mod.ts";
import { type OpenSsl, openssl, type Reactor } from "../io/mod.ts";
import { certificateHash } from "./certificate_hash.ts";
import { clientsContext, serverContext, type TlsContext } from "./context.ts";
import { TlsTransport } from "./tls_transport.ts";

/** Steps of handshakes in one turn: each may take 2 ms of a core (RSA-2048), and everybody else waits. */
const SHAKES_PER_TURN = 4;

interface Server {
  readonly context: TlsContext;
  readonly host: string;
}

/** TLS of one worker thread: OpenSSL, and the certificates in force. */
export class TlsContexts {
  #material: TlsMaterial;
  #library: OpenSsl | undefined;
  /** By what they are made of: one with the system's authorities takes 22 to 79 ms, in which all sessions wait. */
  #contexts: ReadonlyMap<string, TlsContext> = new Map();
  #clients: TlsContext | undefined;
  /** Of the certificate that clients are shown; undefined: no login can be bound to it. */
  #hash: Uint8Array | undefined;
  #servers: ReadonlyMap<string, Server> = new Map();
  #reactor: Reactor | undefined;
  /** Steps taken in the turn that began at this moment: asked for here, so that turns without a handshake pay nothing. */
  #shakes = 0;
  #turnUs = 0;
  readonly #readsAhead: boolean;

  /**
   * @param options `serversAreTrusted`: none is out to hold up this thread, as a primary is not.
   * @throws {Error} if OpenSSL is not there, or does not take a certificate or a key.
   */
  constructor(
    material: TlsMaterial,
    options: { readonly serversAreTrusted: boolean } = {
      serversAreTrusted: false,
    },
  ) {
    this.#readsAhead = options.serversAreTrusted;
    this.#material = material;
    this.#load(material);
  }

  /** Bounds the handshakes in each turn of `reactor`. */
  attach(reactor: Reactor): void {
    this.#reactor = reactor;
  }

  /**
   * Takes other certificates for connections to come; those that are there stay.
   *
   * @throws {Error} as the constructor; all stays as it was.
   */
  replace(material: TlsMaterial): void {
    if (material.version === this.#material.version) return;
    this.#load(material);
    this.#material = material;
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
    const transport = this.#transport(this.#clients, fd, "");
    return { transport, certificateHash: this.#hash };
  }

  /**
   * Our side of TLS with a server.
   *
   * @param name of its database.
   * @throws {Error} if the server is not known any more.
   */
  toServer(fd: number, name: string): TlsTransport {
    const server = this.#servers.get(name);
    if (server === undefined) throw new Error(`"${name}" is not known`);
    return this.#transport(server.context, fd, server.host);
  }

  /** Takes a step of a handshake off this turn's. False: not in this turn. */
  takeShake(): boolean {
    const turnUs = this.#reactor?.nowUs ?? 0;
    if (turnUs !== this.#turnUs) this.#shakes = 0;
    this.#turnUs = turnUs;
    return ++this.#shakes <= SHAKES_PER_TURN;
  }

  /** Connections that have begun go on. */
  close(): void {
    for (const context of this.#contexts.values()) context.free();
    this.#contexts = this.#servers = new Map();
    this.#clients = undefined;
  }

  #transport(context: TlsContext, fd: number, host: string): TlsTransport {
    return new TlsTransport(this.#library as OpenSsl, context, fd, host); // behind each context
  }

  /** Makes what is not there yet, and frees what is not needed any more. */
  #load({ clients, servers, folder }: TlsMaterial): void {
    const names = Object.entries(servers);
    const usesTls = clients !== undefined || names.length > 0;
    const library = usesTls ? openssl(folder) : undefined;
    const old = library === this.#library ? this.#contexts : new Map();
    const made: TlsContext[] = [];
    const next = new Map<string, TlsContext>();
    const context = (of: unknown, make: () => TlsContext): TlsContext => {
      const key = JSON.stringify(of);
      let found = next.get(key) ?? old.get(key);
      if (found === undefined) made.push(found = make());
      next.set(key, found);
      return found;
    };
    const toClients = (identity: TlsIdentity) =>
      context(
        { identity },
        () => clientsContext(library as OpenSsl, identity),
      );
    const toServer = ({ host, ...of }: ServerTls): Server => {
      const trust = { ...of, readsAhead: this.#readsAhead };
      const make = () => serverContext(library as OpenSsl, trust);
      return { host, context: context(trust, make) };
    };
    try {
      const client = clients && toClients(clients);
      const hash = clients && certificateHash(clients.certificate);
      const known = new Map(
        names.map(([name, server]) => [name, toServer(server)]),
      );
      for (const [key, context] of this.#contexts) {
        if (next.get(key) !== context) context.free();
      }
      this.#library = library;
      this.#contexts = next;
      this.#clients = client;
      this.#hash = hash;
      this.#servers = known;
    } catch (error) {
      for (const context of made) context.free();
      throw error;
    }
  }
}
