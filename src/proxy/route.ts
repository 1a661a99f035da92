import type { SocketAddress } from "../io/mod.ts";
import type { CompareMode } from "../record/mod.ts";
import type { LimitSettings } from "./client_limits.ts";
import type { TlsMaterial } from "../tls/mod.ts";
import type { AuthSettings } from "./own_login.ts";

/** TLS to a primary. */
export interface RouteTls {
  /** Its name in the TLS material. */
  readonly server: string;
  /** Go on in clear if it has no TLS. */
  readonly clearAllowed: boolean;
}

/** A mirror of a route. */
export interface RouteMirror {
  /** Its destination database. */
  readonly name: string;
  /** Its number in the mirror worker. */
  readonly id: number;
}

/**
 * Where the clients of one database go. A route keeps its position in the list
 * as long as the process lives, and its address: sessions that began on it stay
 * there, and cancel keys lead there.
 */
export interface Route {
  /** The name that clients ask for. */
  readonly name: string;
  /** The database's name on the primary. */
  readonly databaseName: string;
  /** For messages: `host:port`, as configured. */
  readonly label: string;
  readonly host: string;
  readonly port: number;
  readonly address: SocketAddress;
  /** Undefined: the primary is reached in clear. */
  readonly tls: RouteTls | undefined;
  /** Empty: not mirrored. */
  readonly mirrors: readonly RouteMirror[];
  /** The admin console: reached like a primary, hidden from SHOW and never mirrored. */
  readonly admin: boolean;
  /** New clients may take it. */
  readonly current: boolean;
}

/** What a reload may change in a proxy worker. */
export interface ProxySettings {
  readonly routes: readonly Route[];
  readonly limits: LimitSettings;
  /** Descriptors of clients and primaries have lower numbers. */
  readonly maxDescriptors: number;
  /** Undefined: the primary's authentication is relayed. */
  readonly auth: AuthSettings | undefined;
  readonly tls: TlsMaterial;
  readonly tlsClientRequired: boolean;
  readonly connectTimeoutMs: number;
  readonly loginTimeoutMs: number;
  readonly maxTransactionBytes: number;
  readonly compare: CompareMode;
  /** Rows of a reply that are hashed, in bytes; 0: none. */
  readonly compareBytes: number;
  /** Bound of what waits in this worker while the ring is full, in bytes. */
  readonly spillBytes: number;
}
