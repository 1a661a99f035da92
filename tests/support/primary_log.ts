import assert from "node:assert/strict";
import { type Cluster, type ClusterOptions, startCluster } from "./cluster.ts";
import { onServer } from "./on_server.ts";
import { type ProxyOptions, TestProxy } from "./proxy.ts";
import { waitFor } from "./wait.ts";

/** Keys of `[general]` … */
export const LOG = { mirror_values: "log", mirror_pacing: "asap" };
/** … what the primary needs … */
export const LOGICAL = { wal_level: "logical" };
/** … and its login. */
export const LOGIN = 'user = "postgres"';
export const READ = "The primary's log is read";
export const NOT_READ = "The primary's log is not read";

/** Two servers with a proxy that reads the primary's log. */
export interface LoggedTwin extends AsyncDisposable {
  readonly primary: Cluster;
  readonly mirror: Cluster;
  readonly proxy: TestProxy;
}

export interface LoggedTwinOptions {
  readonly schema: string;
  /** Run on the mirror alone. */
  readonly defect?: string;
  readonly version?: ClusterOptions["version"];
  /** The lanes' user. Default: the superuser. */
  readonly mirrorUser?: string;
  readonly proxy?: Partial<ProxyOptions>;
  /** Default: the primary's log is read. */
  readonly isLogged?: boolean;
}

/** Starts them, and waits until the log is read and the mirror's schema known. */
export async function startLoggedTwin(
  {
    schema,
    defect = "",
    version = "15",
    mirrorUser: user = "postgres",
    proxy: options,
    isLogged = true,
  }: LoggedTwinOptions,
): Promise<LoggedTwin> {
  await using stack = new AsyncDisposableStack();
  const primary = stack.use(
    await startCluster({
      version: "15",
      initSql: schema,
      settings: LOGICAL,
    }),
  );
  const mirror = stack.use(
    await startCluster({ version, initSql: `${schema}${defect}` }),
  );
  const proxy = stack.use(
    await TestProxy.start({
      primary,
      mirror: { host: mirror.host, port: mirror.port, user },
      general: LOG,
      primaryKeys: LOGIN,
      ...options,
    }),
  );
  if (isLogged) await said(proxy, READ);
  await said(proxy, "Mirror's schema is known");
  const moved = stack.move();
  return {
    primary,
    mirror,
    proxy,
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}

/** Waits until the log has said something so many times. */
export async function said(
  proxy: TestProxy,
  what: string,
  times = 1,
): Promise<void> {
  await waitFor(
    `"${what}", ${times} times`,
    () => proxy.logs.filter((line) => line.includes(what)).length >= times,
    20_000,
  );
}

/** A metric, over all its labels. */
export function count(proxy: TestProxy, metric: string): number {
  const { series } = proxy.supervisor.snapshot().get(metric) ?? { series: [] };
  return series.reduce((sum, { value }) => sum + value, 0);
}

/** Results that are no match. */
export function mismatches(
  statements: Readonly<Record<string, number>>,
): readonly string[] {
  return Object.keys(statements).filter((result) =>
    !result.startsWith("match")
  );
}

/** The rows of a table as texts, in their order. */
export async function rowsOf(
  cluster: Pick<Cluster, "url">,
  table: string,
): Promise<string[]> {
  return await onServer(cluster, async (sql) => {
    await sql`set timezone = 'UTC'`;
    const rows = await sql.unsafe(
      `select x::text as row from ${table} x order by 1`,
    );
    return rows.map(({ row }) => String(row));
  });
}

/** Each of the tables has rows, and the same on both servers. */
export async function assertEqualTables(
  { primary, mirror }: Readonly<
    Record<"primary" | "mirror", Pick<Cluster, "url">>
  >,
  tables: readonly string[],
): Promise<void> {
  for (const table of tables) {
    const theirs = await rowsOf(primary, table);
    assert.ok(theirs.length > 0, table);
    assert.deepEqual(await rowsOf(mirror, table), theirs);
  }
}
