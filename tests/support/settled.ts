import postgres from "postgres";
import type { Cluster } from "./cluster.ts";
import type { Program } from "./program.ts";
import type { Ledger } from "./proxy.ts";
import { Scrape } from "./scrape.ts";
import { waitFor } from "./wait.ts";

const DEADLINE_MS = 60_000;

/** Waits until a proxy has no client, nothing pending, and no lane on its mirror. */
export async function programSettled(
  program: Program,
  mirror: Cluster,
): Promise<{ readonly ledger: Ledger }> {
  let scrape = await Scrape.of(program.httpPort);
  try {
    await waitFor("", async () => {
      scrape = await Scrape.of(program.httpPort);
      return scrape.sum("clients") === 0 &&
        scrape.sum("mirror_pending_requests") === 0;
    }, DEADLINE_MS);
  } catch {
    throw new Error(
      `${scrape.sum("clients")} clients, and the ledger does not settle: ${
        JSON.stringify(scrape.ledger())
      }`,
    );
  }
  await waitFor("the lanes to go", async () => {
    const servers = await program.admin("SHOW SERVERS");
    return servers.length === 0 && await backends(mirror) === 0;
  }, DEADLINE_MS);
  return { ledger: scrape.ledger() };
}

/** Waits until a process has no more descriptors than it had. @throws {Error} with both numbers. */
export async function descriptorsBack(
  program: Program,
  wanted: number,
): Promise<void> {
  try {
    await waitFor("", () => program.descriptors() <= wanted, DEADLINE_MS);
  } catch {
    throw new Error(
      `${program.descriptors()} descriptors are open, ${wanted} were at the start`,
    );
  }
}

/** Clients of a server, the one who asks aside. */
async function backends(cluster: Cluster): Promise<number> {
  return await askNumber(
    cluster,
    `select count(*) from pg_stat_activity
      where backend_type = 'client backend' and pid <> pg_backend_pid()`,
  );
}

/** The number in the first column of a server's first row. */
export async function askNumber(
  cluster: Cluster,
  text: string,
): Promise<number> {
  const sql = postgres(cluster.url(), { max: 1, fetch_types: false });
  try {
    const [row] = await sql.unsafe(text).values();
    return Number(row?.[0]);
  } finally {
    await sql.end();
  }
}
