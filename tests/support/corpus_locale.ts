import { dirname } from "node:path";
import postgres from "postgres";
import {
  type PostgresVersion,
  preparePrograms,
  runAs,
} from "../../src/cli/demo/programs.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import { waitFor } from "./wait.ts";

/** As PostgreSQL knows it: Debian installs it nowhere unasked. */
const LOCALE = "en_US";
const START_TIMEOUT_MS = 60_000;

/**
 * Compiles the locale en_US.UTF-8 of the C library into a folder.
 *
 * @throws {Error} where Debian's package `locales` is missing.
 */
export async function compileLocale(folder: string): Promise<void> {
  const { success, stderr } = await new Deno.Command("localedef", {
    args: [
      "--no-archive",
      ...["-i", LOCALE, "-f", "UTF-8"],
      `${folder}/${LOCALE}.UTF-8`,
    ],
    stdout: "null",
  }).output();
  if (!success) {
    throw new Error(`localedef: ${new TextDecoder().decode(stderr)}`);
  }
  await Deno.chmod(folder, 0o755); // the servers run under another user
}

/** Where a server is. */
export type Whereabouts = Pick<Cluster, "host" | "port" | "url">;

/** A server that finds a folder's locales beside those that are installed. */
export async function startClusterWithLocales(
  version: PostgresVersion,
  folder: string,
): Promise<Whereabouts & AsyncDisposable> {
  const cluster = await startCluster({ version });
  // Only the environment tells the C library of the folder.
  await cluster.stop();
  const { postgres: program } = await preparePrograms(version);
  const options = runAs(dirname(cluster.dataDir));
  const server = new Deno.Command(program, {
    args: ["-D", cluster.dataDir],
    ...options,
    env: { ...options.env, LOCPATH: `${folder}:/usr/lib/locale` },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  await waitFor(
    "PostgreSQL to start",
    () => answers(cluster),
    START_TIMEOUT_MS,
  );
  return {
    host: cluster.host,
    port: cluster.port,
    url: (...where) => cluster.url(...where),
    async [Symbol.asyncDispose]() {
      server.kill("SIGQUIT");
      await server.status;
      await cluster[Symbol.asyncDispose]();
    },
  };
}

async function answers(cluster: Cluster): Promise<boolean> {
  const sql = postgres(cluster.url(), { max: 1, fetch_types: false });
  try {
    await sql.unsafe("select 1");
    return true;
  } catch {
    return false;
  } finally {
    await sql.end();
  }
}
