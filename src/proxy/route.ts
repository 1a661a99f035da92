import type { SocketAddress } from "../io/mod.ts";

/** TLS to a primary. */
export interface RouteTls {
  /** Its name in the TLS worker's material. */
  readonly server: string;
  /** Go on in clear if it has no TLS. */
  readonly clearAllowed: boolean;
}

/** Where the clients of one database go. */
export interface Route {
  /** The name that clients ask for. */
  readonly name: string;
  /** The database's name on the primary. */
  readonly databaseName: string;
  /** For error messages: `host:port`, as configured. */
  readonly label: string;
  readonly address: SocketAddress;
  /** Undefined: the primary is reached in clear. */
  readonly tls: RouteTls | undefined;
  /** Names of the mirrors (destination databases); empty: not mirrored. */
  readonly mirrors: readonly string[];
  /** The admin console: reached like a primary, hidden from SHOW and never mirrored. */
  readonly admin: boolean;
}
