import postgres from "postgres";
import type { Cluster } from "./cluster.ts";

/** Runs statements on a server itself, not through a proxy, on a connection of their own. */
export async function onServer<T>(
  cluster: Pick<Cluster, "url">,
  run: (sql: postgres.Sql) => PromiseLike<T>,
): Promise<T> {
  const sql = postgres(cluster.url(), { max: 1, onnotice() {} });
  try {
    return await run(sql);
  } finally {
    await sql.end();
  }
}
