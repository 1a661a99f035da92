import { join } from "node:path";

/** Where the servers listen. */
export const SERVER_HOST = "127.0.0.1";

export type AuthMethod = "trust" | "md5" | "scram-sha-256";

export interface ServerConfig {
  readonly port: number;
  /** Folder of the unix socket. */
  readonly socketDir: string;
  /** For TCP; the socket asks nothing, its folder is closed to others. */
  readonly auth: AuthMethod;
  /** Win over all others. */
  readonly settings: Readonly<Record<string, string>>;
}

/** Commits outlive the server's end but not the machine's. Two versions print alike. */
const SETTINGS: Readonly<Record<string, string>> = {
  fsync: "off",
  full_page_writes: "off",
  max_wal_size: "1GB",
  max_connections: "200",
  shared_buffers: "64MB",
  dynamic_shared_memory_type: "mmap", // /dev/shm is small in containers
  listen_addresses: SERVER_HOST,
  timezone: "UTC",
  log_timezone: "UTC",
};

/** Writes a data directory's postgresql.conf (the last of two lines counts) and pg_hba.conf. */
export async function writeServerConfig(
  dataDir: string,
  config: ServerConfig,
): Promise<void> {
  const { port, socketDir, auth } = config;
  const settings = {
    ...SETTINGS,
    port: String(port),
    unix_socket_directories: socketDir,
    password_encryption: auth === "md5" ? "md5" : "scram-sha-256",
    ...config.settings,
  };
  const lines = Object.entries(settings).map(([name, value]) =>
    `${name} = '${value.replaceAll("'", "''")}'\n`
  );
  await Deno.writeTextFile(join(dataDir, "postgresql.conf"), lines.join(""), {
    append: true,
  });
  await Deno.writeTextFile(
    join(dataDir, "pg_hba.conf"),
    `local all all trust
host all all all ${auth}
host replication all all ${auth}
`,
  );
}
