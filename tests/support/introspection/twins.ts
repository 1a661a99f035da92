import { type Cluster, type ClusterOptions, startCluster } from "../cluster.ts";
import { server } from "../pgbench.ts";
import { hasProgram, runProgram } from "../programs.ts";

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

/** Whether {@linkcode startRestored} can do its work. */
export function canRestore(): boolean {
  return hasProgram("pg_dumpall") && hasProgram("psql");
}

/**
 * What pg_dumpall says of a server, on another one of its version: other OIDs
 * in another order, and columns without the gaps of those that were dropped.
 *
 * @throws {Error} with psql's words, if not all was restored.
 */
export async function startRestored(primary: Cluster): Promise<Cluster> {
  const twin = await startCluster({ version: "15", initSql: SHIFT });
  const script = await Deno.makeTempFile({ suffix: ".sql" });
  try {
    await runProgram("pg_dumpall", [...server(primary.port), "-f", script]);
    // The role is there.
    const text = await Deno.readTextFile(script);
    await Deno.writeTextFile(
      script,
      text.replace(/^create role postgres;$/im, "") + "\nanalyze;\n",
    );
    await runProgram("psql", [
      ...server(twin.port),
      ...["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", script, "postgres"],
    ]);
    return twin;
  } catch (error) {
    await twin[Symbol.asyncDispose]();
    throw error;
  } finally {
    await Deno.remove(script);
  }
}

function schema(): Promise<string> {
  return Deno.readTextFile(SCHEMA);
}
