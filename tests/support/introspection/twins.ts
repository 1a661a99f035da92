import { type Cluster, type ClusterOptions, startCluster } from "../cluster.ts";

const SCHEMA = new URL("schema.sql", import.meta.url);

/**
 * Uses up OIDs: what the schema makes afterwards has others, with a digit more.
 */
const SHIFT = `
select count(lo_create(0)) from generate_series(1, 90000);
delete from pg_largeobject_metadata;
`;

/** A server with the schema, as the primary has it. */
export async function startPrimary(): Promise<Cluster> {
  return await startCluster({ version: "15", initSql: await schema() });
}

/** A server with the same schema under other OIDs. */
export async function startTwin(
  version: ClusterOptions["version"],
): Promise<Cluster> {
  return await startCluster({ version, initSql: SHIFT + await schema() });
}

function schema(): Promise<string> {
  return Deno.readTextFile(SCHEMA);
}
