import postgres from "postgres";
import type { Database } from "./config/mod.ts";
import type { Logger } from "./plugin/mod.ts";

/** What a mirror says of itself. */
export interface MirrorFacts {
  readonly version: string;
  /** It replays another server's write-ahead log: nobody can write to it. */
  readonly inRecovery: boolean;
  /** It receives changes by logical replication. */
  readonly subscriptions: number;
}

const TIMEOUT_SECONDS = 5;

/**
 * Asks a mirror what it is, on a connection of its own. A mirror that can't be
 * asked is no problem here: the lanes will say so when there is traffic.
 */
export async function lookAtMirror(
  database: Database,
  log: Logger,
): Promise<MirrorFacts | undefined> {
  const sql = postgres({
    host: database.host,
    port: database.port,
    database: database.database_name ?? database.name,
    user: database.user ?? "",
    ...(database.password === undefined ? {} : { password: database.password }),
    max: 1,
    connect_timeout: TIMEOUT_SECONDS,
    fetch_types: false,
    onnotice() {},
    connection: { application_name: "pgdog-mirror" },
  });
  try {
    const [row] = await sql`
      select current_setting('server_version') as version,
        pg_is_in_recovery() as in_recovery,
        (select count(*)::int from pg_stat_subscription) as subscriptions`;
    return {
      version: String(row?.version),
      inRecovery: row?.in_recovery === true,
      subscriptions: Number(row?.subscriptions),
    };
  } catch (error) {
    log.debug("Mirror could not be asked what it is", {
      mirror: database.name,
      error: String(error),
    });
    return undefined;
  } finally {
    await sql.end({ timeout: 1 }).catch(() => {});
  }
}

/** What can't work with this mirror and level, in words. */
export function replicaWarning(
  facts: MirrorFacts,
  level: "all" | "dml" | "ddl" | "read",
): string | undefined {
  if (level === "read") {
    return facts.inRecovery || facts.subscriptions > 0
      ? undefined
      : 'level = "read" replays no write, and this mirror is no replica: its data will fall behind';
  }
  if (facts.inRecovery) {
    return 'The mirror is a physical replica: every write will fail there; use level = "read"';
  }
  return facts.subscriptions > 0
    ? 'The mirror subscribes to changes: writes would happen twice there; use level = "read"'
    : undefined;
}
