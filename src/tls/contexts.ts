import { isIP, type Socket } from "node:net";
import {
  connect,
  type ConnectionOptions,
  createSecureContext,
  type SecureContext,
  TLSSocket,
} from "node:tls";
import type { ServerTls, TlsMaterial } from "../config/mod.ts";
import { certificateHash } from "./certificate_hash.ts";
import { encodeOpening } from "./opening.ts";

/** The protocol's name in TLS (manual, "SSL Session Encryption"). */
export const ALPN = "postgresql";
const MIN_VERSION = "TLSv1.2";

/** Makes TLS sockets out of sockets. Certificates are parsed once, here. */
export class TlsContexts {
  /** Of each connection with a client that is made here. */
  readonly opening: Uint8Array<ArrayBuffer>;
  readonly #clients: SecureContext | undefined;
  readonly #servers = new Map<string, ConnectionOptions>();

  constructor({ clients, servers }: TlsMaterial) {
    this.#clients = clients && createSecureContext({
      cert: clients.certificate,
      key: clients.key,
      minVersion: MIN_VERSION,
    });
    this.opening = encodeOpening(
      clients && certificateHash(clients.certificate),
    );
    for (const [name, server] of Object.entries(servers)) {
      this.#servers.set(name, connectionOptions(server));
    }
  }

  /**
   * Our side of TLS with a client; it emits "secure".
   *
   * @throws {Error} if there is no certificate any more.
   */
  toClient(raw: Socket): TLSSocket {
    if (this.#clients === undefined) throw new Error("there is no certificate");
    return new TLSSocket(raw, {
      isServer: true,
      secureContext: this.#clients,
      ALPNProtocols: [ALPN],
    });
  }

  /**
   * Our side of TLS with a server; it emits "secureConnect" once the
   * certificate is accepted.
   *
   * @throws {Error} if the server is not known any more.
   */
  toServer(raw: Socket, name: string): TLSSocket {
    const options = this.#servers.get(name);
    if (options === undefined) throw new Error(`"${name}" is not known`);
    return connect({ ...options, socket: raw });
  }
}

/** Our side of TLS with a server whose material is at hand; as {@linkcode TlsContexts.toServer}. */
export function startServerTls(raw: Socket, server: ServerTls): TLSSocket {
  return connect({ ...connectionOptions(server), socket: raw });
}

function connectionOptions(server: ServerTls): ConnectionOptions {
  const { verify, host, ca, identity } = server;
  const bare = host.replace(/^\[|\]$/g, "");
  return {
    secureContext: createSecureContext({
      minVersion: MIN_VERSION,
      ...(ca === undefined ? {} : { ca }),
      ...(identity && { cert: identity.certificate, key: identity.key }),
    }),
    ALPNProtocols: [ALPN],
    // SNI holds no addresses (RFC 6066); libpq leaves them out, too.
    ...(isIP(bare) === 0 ? { servername: bare } : { host: bare }),
    rejectUnauthorized: verify === "verify-ca" || verify === "verify-full",
    ...(verify === "verify-full"
      ? {}
      : { checkServerIdentity: () => undefined }),
  };
}
