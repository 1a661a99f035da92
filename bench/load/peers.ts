/**
 * The other proxies that this one is measured beside. They need Debian's
 * pgbouncer and haproxy; PgDog is taken from where its executable is.
 *
 * @module
 */

import { join } from "node:path";
import { serverUser, temporaryFolder } from "../../src/cli/demo/server_user.ts";
import { accepting, HOST, isMissing, type Target } from "./support.ts";

/** Each client has a server connection of its own: as many as there are clients. */
const MAX_CLIENTS = 2_000;
/** PgBouncer's default. */
const TRANSACTION_POOL = 20;

/** TLS on a peer's legs, with one certificate. */
export interface PeerTls {
  readonly clients: boolean;
  readonly primary: boolean;
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
}

/** PgBouncer; in transaction mode with its default of 20 server connections. */
export function startPgbouncer(
  port: number,
  primary: number,
  poolMode: "session" | "transaction" = "session",
  tls?: PeerTls,
): Promise<Target> {
  return startPeer(`pgbouncer, ${poolMode}`, port, {
    files: {
      ...(tls && { "tls.crt": tls.certificate, "tls.key": tls.key }),
      "pgbouncer.ini": `[databases]
postgres = host=${HOST} port=${primary} user=postgres
[pgbouncer]
listen_addr = ${HOST}
listen_port = ${port}
auth_type = any
pool_mode = ${poolMode}
max_client_conn = ${MAX_CLIENTS}
default_pool_size = ${poolMode === "session" ? MAX_CLIENTS : TRANSACTION_POOL}
server_tls_sslmode = ${tls?.primary ? "require" : "disable"}
${
        tls?.clients
          ? "client_tls_sslmode = require\nclient_tls_cert_file = tls.crt\nclient_tls_key_file = tls.key"
          : ""
      }
server_idle_timeout = 5
unix_socket_dir =
`,
    },
    program: "pgbouncer",
    args: (folder) => ["-q", join(folder, "pgbouncer.ini")],
  });
}

/** HAProxy in TCP mode. */
export function startHaproxy(port: number, primary: number): Promise<Target> {
  return startPeer("haproxy", port, {
    files: {
      "haproxy.cfg": `global
  maxconn ${MAX_CLIENTS}
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen postgres
  bind ${HOST}:${port}
  server primary ${HOST}:${primary}
`,
    },
    program: "haproxy",
    args: (folder) => ["-q", "-db", "-f", join(folder, "haproxy.cfg")],
  });
}

/**
 * PgDog in its default mode, transaction, with as many server connections as PgBouncer.
 *
 * @param program path of its executable.
 */
export function startPgdog(
  port: number,
  primary: number,
  program: string,
): Promise<Target> {
  return startPeer("pgdog, transaction", port, {
    files: {
      "pgdog.toml": `[general]
host = "${HOST}"
port = ${port}
auth_type = "trust"
default_pool_size = ${TRANSACTION_POOL}
checkout_timeout = 120_000
[[databases]]
name = "postgres"
host = "${HOST}"
port = ${primary}
`,
      "users.toml": `[[users]]
name = "postgres"
database = "postgres"
password = "postgres"
`,
    },
    program,
    args: (folder) => [
      ...["--config", join(folder, "pgdog.toml")],
      ...["--users", join(folder, "users.toml"), "run"],
    ],
  });
}

interface Peer {
  /** Written to a folder of its own. */
  readonly files: Readonly<Record<string, string>>;
  readonly program: string;
  readonly args: (folder: string) => string[];
}

/** Starts it under another user than root: PgBouncer refuses root. */
async function startPeer(
  name: string,
  port: number,
  { files, program, args }: Peer,
): Promise<Target> {
  const folder = await Deno.makeTempDir({ dir: temporaryFolder() });
  await Deno.chmod(folder, 0o755);
  for (const [file, text] of Object.entries(files)) {
    await Deno.writeTextFile(join(folder, file), text);
  }
  let child: Deno.ChildProcess | undefined;
  const dispose = async () => {
    try {
      child?.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await child?.status;
    await Deno.remove(folder, { recursive: true });
  };
  try {
    child = new Deno.Command(program, {
      ...serverUser(),
      cwd: folder, // ours may be closed to that user
      args: args(folder),
      stdout: "null",
      stderr: "null",
    }).spawn();
    await accepting(port);
  } catch (error) {
    await dispose();
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error(isMissing(program));
  }
  return { name, port, pid: child.pid, [Symbol.asyncDispose]: dispose };
}
