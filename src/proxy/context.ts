import type { Reactor } from "../io/mod.ts";
import type { ProbeSet } from "../plugin/probe_set.ts";
import type { RingProducer } from "../record/mod.ts";
import type { ConnectionTable } from "../stats/connection_table.ts";
import type { TlsContexts } from "../tls/mod.ts";
import type { BufferPool } from "./buffer_pool.ts";
import type { ClientLimits } from "./client_limits.ts";
import type { LoginDoor } from "./login_door.ts";
import type { AuthSettings } from "./own_login.ts";
import type { ProxySettings, Route } from "./route.ts";

/** What the sessions of one proxy worker share. */
export interface ProxyContext {
  readonly reactor: Reactor;
  /** Every read goes here first. */
  readonly scratch: Uint8Array<ArrayBuffer>;
  readonly pool: BufferPool;
  readonly probes: ProbeSet;
  /** The ring to the mirror worker. */
  readonly ring: RingProducer;
  readonly clients: ConnectionTable;
  /** Opens rows of that table. */
  readonly door: LoginDoor;
  /** The tables of all proxy workers, to find who issued a cancel key. */
  readonly allClients: readonly ConnectionTable[];
  /** Those in force: a reload puts others in their place, and in that of the next two. */
  settings: ProxySettings;
  limits: ClientLimits;
  /** Undefined: the primary's authentication is relayed. */
  auth: AuthSettings | undefined;
  readonly tls: TlsContexts;
  /** Find or create the series of a mirror's ledger. */
  series(database: string, mirror: string, user: string): number;
  /** A number no other session of any worker has had. */
  nextStream(): number;
  /** The primary of a route has said its version, at each login. */
  onVersion(route: Route, version: string): void;
  /** Our own code has thrown; `outcome` says what became of the session. */
  onFault(outcome: string, error: unknown): void;
  /** A primary can't be connected to. */
  onUnreachable(): void;
  /** The session is gone. */
  onClosed(session: unknown): void;
  /** The ring had no room for a stream's CLOSE: try again later. */
  closeLater(stream: number): void;
}
