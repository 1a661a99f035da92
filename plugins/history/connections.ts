import { DatabaseSync } from "node:sqlite";
import postgres from "postgres";
import type { Execute, SqlConnection } from "./store.ts";

/** A SQLite file. Its calls are synchronous and short: a few rows every few seconds. */
export function openSqlite(path: string): Promise<SqlConnection> {
  keepToOurselves(path);
  const database = new DatabaseSync(path);
  try {
    // A crash of the machine may cost the last seconds, never the file.
    database.exec(
      "pragma journal_mode = wal; pragma synchronous = normal; pragma busy_timeout = 200",
    );
  } catch (error) {
    database.close(); // it is opened again and again
    throw error;
  }
  const execute: Execute = (sql, values = []) => {
    // SQLite numbers its parameters with a question mark.
    const rows = database.prepare(sql.replaceAll(/\$(\d+)/g, "?$1"))
      .all(...values);
    return Promise.resolve(rows as Record<string, string | number | null>[]);
  };
  return Promise.resolve({
    execute,
    async transaction(body) {
      database.exec("begin immediate");
      try {
        const result = await body(execute);
        database.exec("commit");
        return result;
      } catch (error) {
        if (database.isTransaction) database.exec("rollback");
        throw error;
      }
    },
    close() {
      database.close();
      return Promise.resolve();
    },
  });
}

const OURS = 0o600;

/** Statements are told in it. SQLite makes its -wal and -shm with the file's own mode. */
function keepToOurselves(path: string): void {
  Deno.openSync(path, { create: true, write: true, mode: OURS }).close();
  for (const file of [path, `${path}-wal`, `${path}-shm`]) {
    const { mode } = stat(file) ?? { mode: null };
    if (mode === null || (mode & 0o077) === 0) continue;
    Deno.chmodSync(file, OURS);
  }
}

function stat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Any number that is the same in all proxies. */
const SCHEMA_LOCK = 7_274_614_402;

/** A PostgreSQL database, reached through one connection. */
export function openPostgres(url: string): Promise<SqlConnection> {
  const sql = postgres(url, {
    max: 1,
    connect_timeout: 5,
    onnotice() {},
    connection: { application_name: "pgdog-mirror-history" },
  });
  const on =
    (connection: postgres.Sql | postgres.TransactionSql): Execute =>
    (text, values = []) =>
      connection.unsafe(text, [...values]).then((rows) => [...rows]);
  return Promise.resolve({
    execute: on(sql),
    async transaction<T>(body: (execute: Execute) => Promise<T>) {
      // postgres.js gives the type of a body that returns queries.
      return await sql.begin((transaction) => body(on(transaction))) as T;
    },
    lock: `select pg_advisory_xact_lock(${SCHEMA_LOCK})`,
    close: () => sql.end({ timeout: 1 }),
  });
}
