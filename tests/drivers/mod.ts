/**
 * Drivers as applications use them, each with a script that puts it to the
 * test; `README.md` says what they do.
 *
 * @module
 */

import { isInstalled, PYTHON } from "../support/programs.ts";
import { nodePg } from "./node_pg.ts";
import { postgresJs } from "./postgres_js.ts";
import type { DriverConnection, Seen } from "./seen.ts";

export { COPY_LINES, type DriverConnection, type Seen } from "./seen.ts";

/** A driver and its script. */
export interface Driver {
  readonly name: string;
  /** @throws {Error} with what the driver said. */
  run(at: DriverConnection): Promise<Seen>;
}

const FOLDER = new URL(".", import.meta.url).pathname;
const JDBC = "/usr/share/java/postgresql.jar";
/** For a whole script, in milliseconds. */
const TIMEOUT_MS = 45_000;

/** In this process. */
const LIBRARIES: readonly Driver[] = [
  { name: "postgres.js", run: (at) => inTime(postgresJs(at)) },
  { name: "pg", run: (at) => inTime(nodePg(at)) },
];

/** In Debian's packages: the script's command, and one that fails without the driver. */
const PROGRAMS: readonly {
  readonly name: string;
  readonly script: readonly string[];
  readonly check: readonly string[];
}[] = [
  {
    name: "psql",
    script: ["bash", "psql.sh"],
    check: ["psql", "--version"],
  },
  {
    name: "psycopg2",
    script: [PYTHON, "psycopg2_driver.py"],
    check: [PYTHON, "-c", "import psycopg2"],
  },
  {
    name: "asyncpg",
    script: [PYTHON, "asyncpg_driver.py"],
    check: [PYTHON, "-c", "import asyncpg"],
  },
  {
    name: "ruby-pg",
    script: ["/usr/bin/ruby", "ruby_pg.rb"],
    check: ["/usr/bin/ruby", "-e", "require 'pg'"],
  },
  {
    name: "php-pgsql",
    script: ["/usr/bin/php", "php_pgsql.php"],
    check: [
      "/usr/bin/php",
      "-r",
      "exit((int) !function_exists('pg_connect'));",
    ],
  },
  {
    name: "DBD::Pg",
    script: ["/usr/bin/perl", "perl_dbd_pg.pl"],
    check: ["/usr/bin/perl", "-MDBD::Pg", "-e1"],
  },
  {
    name: "pgjdbc",
    script: ["java", "-XX:TieredStopAtLevel=1", "-cp", JDBC, "PgJdbc.java"],
    check: ["bash", "-c", `javac -version && test -e ${JDBC}`],
  },
];

/** The drivers that are here. @throws {Error} under CI if one is not. */
export async function installedDrivers(): Promise<Driver[]> {
  const drivers = [...LIBRARIES];
  for (const { name, script, check } of PROGRAMS) {
    if (!await isInstalled(name, check)) continue;
    drivers.push({ name, run: (at) => runScript(script, at) });
  }
  return drivers;
}

/** @throws {Error} if it does not come to its end. */
async function inTime<T>(work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`no end within ${TIMEOUT_MS} ms`)),
    TIMEOUT_MS,
  );
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function runScript(
  [program = "", ...args]: readonly string[],
  at: DriverConnection,
): Promise<Seen> {
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args,
    cwd: FOLDER,
    env: {
      PGHOST: at.host,
      PGPORT: `${at.port}`,
      PGUSER: at.user,
      PGPASSWORD: at.password,
      PGDATABASE: at.database,
      PGSSLMODE: at.ca === undefined ? "disable" : "verify-full",
      PGSSLROOTCERT: at.ca?.path ?? "/nonexistent",
      LC_ALL: "C.UTF-8",
    },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).output();
  const decoder = new TextDecoder();
  if (code !== 0) {
    throw new Error(`exited with ${code}: ${decoder.decode(stderr)}`);
  }
  return JSON.parse(decoder.decode(stdout));
}
