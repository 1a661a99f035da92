import { isDeepStrictEqual } from "node:util";
import type { Cluster } from "../cluster.ts";
import { onServer } from "../on_server.ts";
import { TABLES } from "./schema.ts";

/** Of a report that has many. */
const MAX_SHOWN = 6;

type Rows = ReadonlyMap<string, string>;

/** Rows that the mirror has, and that are not the primary's row of the same key. */
export async function wrongRows(
  primary: Cluster,
  mirror: Cluster,
): Promise<readonly string[]> {
  const wrong: string[] = [];
  for (const [table, key] of Object.entries(TABLES)) {
    const theirs = await rowsOf(primary, table, key);
    for (const [id, row] of await rowsOf(mirror, table, key)) {
      const other = theirs.get(id);
      if (other === row) continue;
      wrong.push(`${table}: ${row} where the primary has ${other ?? "none"}`);
    }
  }
  return wrong.slice(0, MAX_SHOWN);
}

/** Whether both servers have the same rows of one client, some at least. */
export async function equalRows(
  primary: Cluster,
  mirror: Cluster,
  who: number,
): Promise<boolean> {
  for (const [table, key] of Object.entries(TABLES)) {
    if (table === "bills") continue;
    const where = `where who = ${who}`;
    const theirs = await rowsOf(primary, table, key, where);
    const ours = await rowsOf(mirror, table, key, where);
    const isEmpty = theirs.size === 0 && table !== "events";
    if (isEmpty || !isDeepStrictEqual(theirs, ours)) return false;
  }
  return true;
}

/** Sequences whose next number a row has already. */
export async function behindRows(mirror: Cluster): Promise<readonly string[]> {
  const [row] = await onServer(mirror, (sql) =>
    sql`select
      (select coalesce(max(id), 0) from parents) - (select last_value from parents_id_seq) as parents,
      (select coalesce(max(id), 0) from children) - (select last_value from children_id_seq) as children,
      (select coalesce(max(id), 0) from events) - (select last_value from events_id_seq) as events,
      (select coalesce(max(substr(code, 3)::int), 0) from bills) - (select last_value from bill_number) as bills`);
  return Object.entries(row ?? {}).flatMap(([table, rows]) =>
    Number(rows) > 0 ? [`${table}: ${rows}`] : []
  );
}

async function rowsOf(
  cluster: Cluster,
  table: string,
  key: string,
  where = "",
): Promise<Rows> {
  return await onServer(cluster, async (sql) => {
    await sql`set timezone = 'UTC'`;
    const rows = await sql.unsafe(
      `select ${key}::text as key, t::text as row from ${table} t ${where} order by 1`,
    );
    return new Map(rows.map(({ key, row }) => [String(key), String(row)]));
  });
}
