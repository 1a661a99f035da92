import { DatabaseSync } from "node:sqlite";
import postgres from "postgres";
import type { Execute, SqlConnection } from "./sql_store.ts";

/** A SQLite file. Its calls are synchronous and short: a few rows every few seconds. */
export function openSqlite(path: string): Promise<SqlConnection> {
  const database = new DatabaseSync(path);
  // A crash of the machine may cost the last seconds, never the file.
  database.exec(
    "pragma journal_mode = wal; pragma synchronous = normal; pragma busy_timeout = 200",
  );
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
        await body(execute);
        database.exec("commit");
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
    async transaction(body) {
      await sql.begin((transaction) => body(on(transaction)));
    },
    close: () => sql.end({ timeout: 1 }),
  });
}
