import { join } from "node:path";

/** Where the servers listen. */
export const SERVER_HOST = "127.0.0.1";

export type AuthMethod = "trust" | "md5" | "scram-sha-256";

/** A server's TLS. */
export interface ServerSsl {
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
  /** PEM: who signs clients' certificates; with one, clients must have one. */
  readonly clientCa?: string;
}

export interface ServerConfig {
  readonly port: number;
  /** Folder of the unix socket. */
  readonly socketDir: string;
  /** For TCP; the socket asks nothing, its folder is closed to others. */
  readonly auth: AuthMethod;
  /** TLS, with its files in the data directory; undefined: none. */
  readonly ssl?: ServerSsl | undefined;
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
  const { port, socketDir, auth, ssl } = config;
  const settings = {
    ...SETTINGS,
    port: String(port),
    unix_socket_directories: socketDir,
    password_encryption: auth === "md5" ? "md5" : "scram-sha-256",
    ...(ssl && { ssl: "on" }),
    ...(ssl?.clientCa && { ssl_ca_file: "ca.crt" }),
    ...config.settings,
  };
  const lines = Object.entries(settings).map(([name, value]) =>
    `${name} = '${value.replaceAll("'", "''")}'\n`
  );
  await Deno.writeTextFile(join(dataDir, "postgresql.conf"), lines.join(""), {
    append: true,
  });
  const type = ssl ? "hostssl" : "host";
  const option = ssl?.clientCa === undefined ? "" : " clientcert=verify-ca";
  await Deno.writeTextFile(
    join(dataDir, "pg_hba.conf"),
    `local all all trust
${type} all all all ${auth}${option}
${type} replication all all ${auth}
`,
  );
}
