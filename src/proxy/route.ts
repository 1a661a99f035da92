import type { SocketAddress } from "../io/mod.ts";

/** Where the clients of one database go. */
export interface Route {
  /** The name that clients ask for. */
  readonly name: string;
  /** The database's name on the primary. */
  readonly databaseName: string;
  /** For error messages: `host:port`, as configured. */
  readonly label: string;
  readonly address: SocketAddress;
  /** Names of the mirrors (destination databases); empty: not mirrored. */
  readonly mirrors: readonly string[];
  /** The admin console: reached like a primary, hidden from SHOW and never mirrored. */
  readonly admin: boolean;
}
