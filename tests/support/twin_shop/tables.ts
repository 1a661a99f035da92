import postgres from "postgres";
import type { Cluster } from "../cluster.ts";
import { TABLES } from "./schema.ts";

/** What two servers hold of one table. */
export interface TableComparison {
  readonly table: string;
  /** On the primary. */
  readonly rows: number;
  readonly onlyPrimary: number;
  readonly onlyMirror: number;
  /** Rows of one key that differ … */
  readonly differing: number;
  /** … and in which columns. */
  readonly columns: Readonly<Record<string, number>>;
}

type Rows = ReadonlyMap<string, Readonly<Record<string, unknown>>>;

/** Compares all tables row by row, by primary key. */
export async function compareTables(
  primary: Cluster,
  mirror: Cluster,
): Promise<readonly TableComparison[]> {
  const results = [];
  for (const [table, key] of Object.entries(TABLES)) {
    const [here, there] = await Promise.all(
      [primary, mirror].map((one) => readRows(one, table, key)),
    ) as [Rows, Rows];
    results.push(compareRows(table, here, there));
  }
  return results;
}

/** Rows that one server has alone, and rows that differ, of all tables. */
export function unequalRows(tables: readonly TableComparison[]): number {
  return tables.reduce(
    (all, { onlyPrimary, onlyMirror, differing }) =>
      all + onlyPrimary + onlyMirror + differing,
    0,
  );
}

function compareRows(
  table: string,
  here: Rows,
  there: Rows,
): TableComparison {
  let onlyPrimary = 0;
  let common = 0;
  let differing = 0;
  const columns: Record<string, number> = {};
  for (const [key, row] of here) {
    const other = there.get(key);
    if (other === undefined) {
      onlyPrimary++;
      continue;
    }
    common++;
    const names = Object.keys(row).filter((name) => row[name] !== other[name]);
    if (names.length > 0) differing++;
    for (const name of names) columns[name] = (columns[name] ?? 0) + 1;
  }
  const onlyMirror = there.size - common;
  return {
    table,
    rows: here.size,
    onlyPrimary,
    onlyMirror,
    differing,
    columns,
  };
}

async function readRows(
  cluster: Cluster,
  table: string,
  key: string,
): Promise<Rows> {
  const sql = postgres(cluster.url(), { max: 1, fetch_types: false });
  try {
    const rows = await sql.unsafe(
      `select ${key}::text as key, to_jsonb(t) as row from ${table} t order by ${key}`,
    );
    return new Map(rows.map(({ key, row }) => [key, row]));
  } finally {
    await sql.end();
  }
}
