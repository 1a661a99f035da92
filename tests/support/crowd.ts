import assert from "node:assert/strict";
import { startCluster } from "./cluster.ts";
import { HostileServer } from "./hostile_server.ts";
import { assertClosed } from "./ledgers.ts";
import { runScript } from "./pgbench.ts";
import { mirrored, Program, residentKib } from "./program.ts";
import type { Ledger } from "./proxy.ts";
import { descriptorsBack, programSettled } from "./settled.ts";
import { Scrape } from "./scrape.ts";
import { waitFor } from "./wait.ts";
import { query, WireClient } from "./wire_client.ts";

export interface CrowdOptions {
  readonly idle: number;
  readonly active: number;
  readonly transactionsPerClient: number;
  /**
   * Who the idle clients' primary is. "real": PostgreSQL, with a process for
   * each, and their database is mirrored. "scripted": a program that logs in
   * anybody and answers any query, for machines where that is too much.
   */
  readonly idlePrimary: "real" | "scripted";
  readonly onProgress?: (what: string) => void;
}

/** What a run came to; {@linkcode assertCrowd} judges it. */
export interface CrowdRun {
  /** Most clients that were there at once. */
  readonly clients: number;
  /** Requests of the mirrored database that the clients made. */
  readonly transactions: number;
  readonly ledger: Ledger;
  /** `total_requests` of SHOW STATS, over all databases. */
  readonly requests: number;
  /** Of the proxy's process: before, with all idle clients, and at the end. */
  readonly descriptors: readonly [number, number, number];
  readonly residentKib: readonly [number, number, number];
}

/** Logins and goodbyes of idle clients under way at once. */
const AT_ONCE = 64;
const DEADLINE_MS = 60_000;
const IDLE_DATABASE = "idle";

/**
 * Idle clients log in and stay; active ones come, work, and go; then each idle
 * client, one transaction, to see that it is still served.
 *
 * @throws {Error} if a client saw an error.
 */
export async function runCrowd(options: CrowdOptions): Promise<CrowdRun> {
  const { active, idle, transactionsPerClient, onProgress = () => {} } =
    options;
  const real = options.idlePrimary === "real";
  // Who goes right behind a transaction leaves a lane that has yet to replay it.
  const server = {
    version: "15",
    settings: { max_connections: `${active + (real ? idle : 0) + 50}` },
  } as const;
  await using primary = await startCluster(server);
  await using mirror = await startCluster(server);
  using scripted = new HostileServer();
  await using program = new Program();
  program.start(
    program.config(primary, "mirror_queue = 1000\nconnect_timeout = 60000") +
      mirrored(mirror) + `
[[databases]]
name = "${IDLE_DATABASE}"
host = "127.0.0.1"
port = ${scripted.port}
`,
  );
  await program.accepting();
  const scriptPath = `${program.folder}/active.sql`;
  await Deno.writeTextFile(scriptPath, "select 1;\n");
  const work = (clients: number, transactions: number) =>
    runScript({
      port: program.port,
      path: scriptPath,
      mode: "simple",
      clients,
      transactionsPerClient: transactions,
      rate: 0,
    });
  // What is loaded once is loaded before the first look.
  await work(1, 1);
  await programSettled(program, mirror);
  const look = () => [program.descriptors(), residentKib(program.pid)] as const;
  const before = look();

  const crowd: WireClient[] = [];
  try {
    await each(
      AT_ONCE,
      Array(idle).fill(real ? "postgres" : IDLE_DATABASE),
      async (database) => {
        crowd.push(await WireClient.connect(program.port, { database }));
      },
    );
    onProgress(`${crowd.length} idle clients`);
    const during = look();

    let clients = 0;
    let over = false;
    const working = work(active, transactionsPerClient)
      .finally(() => over = true);
    await Promise.all([
      working,
      waitFor("the active clients", async () => {
        const scrape = await Scrape.of(program.httpPort);
        clients = Math.max(clients, scrape.sum("clients"));
        return over;
      }, DEADLINE_MS * 10),
    ]);
    onProgress(`${active} active clients have done their work`);

    await each(AT_ONCE, crowd, async (client) => {
      await client.send(query("select 1"));
      await client.ready(1);
      await client.terminate();
    });
    const { ledger } = await programSettled(program, mirror);
    await descriptorsBack(program, before[0]);
    const after = look();
    const stats = await program.admin("SHOW STATS");
    return {
      clients,
      transactions: 1 + active * transactionsPerClient + (real ? idle : 0),
      ledger,
      requests: stats.reduce((sum, row) => sum + Number(row.total_requests), 0),
      descriptors: [before[0], during[0], after[0]],
      residentKib: [before[1], during[1], after[1]],
    };
  } finally {
    for (const client of crowd) client[Symbol.dispose]();
  }
}

/** All were there at once, every account closes, and nothing is left of anybody. */
export function assertCrowd(run: CrowdRun, options: CrowdOptions): void {
  const { idle, active, transactionsPerClient } = options;
  assert.equal(run.clients, idle + active, "clients at once");
  assert.equal(run.ledger.seen, run.transactions, JSON.stringify(run.ledger));
  assertClosed(run.ledger);
  assert.equal(
    run.requests,
    1 + active * transactionsPerClient + idle,
    "SHOW STATS",
  );
  const [before, during, after] = run.descriptors;
  assert.equal(during - before, 2 * idle, "descriptors of idle clients");
  assert.equal(after, before, "descriptors at the end");
}

/** Runs something for each item, so many at once. */
async function each<T>(
  atOnce: number,
  items: readonly T[],
  run: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items.values();
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (const item of rest) await run(item);
  }));
}
