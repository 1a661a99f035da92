/** One key of the configuration. Secrets are hidden by the console, not by the source. */
export interface ConfigRow {
  /** With its table, e.g. `general.port`. */
  readonly key: string;
  readonly value: string | null;
  readonly default: string | null;
  readonly changeable: boolean;
}

export interface DatabaseRow {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** Its name on the server. */
  readonly database: string;
  readonly user: string | null;
  /** Names of the destination databases. */
  readonly mirrors: readonly string[];
}

export interface ClientRow {
  readonly id: number;
  readonly database: string;
  readonly user: string;
  readonly address: string;
  readonly port: number;
  readonly state: "login" | "active" | "idle" | "idle in transaction";
  readonly applicationName: string;
  readonly connectedAt: Date;
  readonly requests: number;
  readonly worker: number;
  readonly serverPid: number | null;
}

export interface ServerRow {
  readonly kind: "primary" | "mirror";
  readonly database: string;
  readonly user: string;
  readonly address: string;
  readonly port: number;
  readonly state: string;
  readonly clientId: number | null;
  readonly connectedAt: Date;
  readonly pid: number | null;
}

export interface PluginRow {
  readonly id: string;
  readonly source: string;
  readonly state: string;
  readonly errors: number;
  readonly lastError: string | null;
}

/** Totals of one database since the process started. */
export interface StatsRow {
  readonly database: string;
  readonly requests: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

/** What the built-in commands show; read when a command runs, so it must be quick. */
export interface AdminSources {
  readonly version: string;
  config(): readonly ConfigRow[];
  databases(): readonly DatabaseRow[];
  clients(): readonly ClientRow[];
  servers(): readonly ServerRow[];
  plugins(): readonly PluginRow[];
  stats(): readonly StatsRow[];
  /** Begins the drain, and returns at once. */
  shutdown(): void;
}
