/**
 * The demo: two real servers of different versions, the proxy between them and
 * a workload, and at the end what the proxy found out.
 *
 * @module
 */

import { join } from "node:path";
import postgres from "postgres";
import type { StatsSnapshot } from "../../stats/mod.ts";
import type { Cluster } from "./cluster.ts";
import { DEMO_ADMIN_PASSWORD, demoConfig } from "./demo_config.ts";
import { Guard } from "./guard.ts";
import { createOutput, type Output } from "./output.ts";
import { type DemoReport, reportOf } from "./report.ts";
import { SHOP_DATABASE, tableChecksums } from "./schema.ts";
import { SERVER_HOST } from "./server_config.ts";
import { startShopPair } from "./shop_pair.ts";
import { summaryText } from "./summary.ts";
import { verdictText } from "./verdict.ts";
import { waitFor } from "./wait.ts";
import { runWorkload } from "./workload.ts";
import { UPGRADE_BREAKAGE } from "./workload_steps.ts";

export type { DemoReport } from "./report.ts";

export interface DemoOptions {
  readonly durationSeconds: number;
  /** The last line of standard output is the report; text for people goes to standard error. */
  readonly json: boolean;
  /** Servers and proxy stay up after the summary, until SIGINT or SIGTERM. */
  readonly keep: boolean;
}

/** What the demo needs of the proxy. */
export interface DemoProxy {
  readonly port: number;
  readonly adminPort: number;
  /** Address of the page to look at. */
  readonly pageUrl: string;
  snapshot(): StatsSnapshot;
  stop(): Promise<void>;
}

export type StartProxy = (configPath: string) => Promise<DemoProxy>;

const CLIENTS = 8;
/** Enough traffic to look at, and a small machine keeps up. */
const THINK_MS = 10;
/** For the mirror to work off its queue after the last client has left. */
const SETTLE_MS = 20_000;

/**
 * Runs the demo. SIGINT or SIGTERM ends the workload early, a second one ends
 * the process; the servers go away in any case.
 */
export async function demo(
  options: DemoOptions,
  startProxy: StartProxy,
): Promise<DemoReport> {
  const output = createOutput(options.json ? Deno.stderr : Deno.stdout);
  output.line("Starting PostgreSQL 15 as primary and 18 as mirror …");
  await using servers = await startShopPair();
  const { primary, mirror } = servers;
  const folder = await Deno.makeTempDir({ prefix: "pgdog-mirror-demo-" });
  const guard = Guard.start(folder);
  using interrupt = onInterrupt();
  let proxy: DemoProxy | undefined;
  try {
    const configPath = join(folder, "pgdog.toml");
    await Deno.writeTextFile(configPath, demoConfig(primary, mirror), {
      mode: 0o600,
    });
    proxy = await startProxy(configPath);
    printAddresses(output, primary, mirror, proxy, configPath);
    const report = await work(
      options,
      output,
      interrupt.signal,
      primary,
      mirror,
      proxy,
    );
    if (options.json) console.log(JSON.stringify(report));
    if (options.keep) {
      output.line("\nStill running; Ctrl-C ends it.");
      await interrupt.asked;
    }
    return report;
  } finally {
    await proxy?.stop();
    await guard.release();
  }
}

/** The workload through the proxy, and what came of it. */
async function work(
  options: DemoOptions,
  output: Output,
  signal: AbortSignal,
  primary: Cluster,
  mirror: Cluster,
  proxy: DemoProxy,
): Promise<DemoReport> {
  const versions = { primary: primary.version, mirror: mirror.version };
  const { durationSeconds } = options;
  const workload = await runWorkload({
    url: primary.url(SHOP_DATABASE, SERVER_HOST, proxy.port),
    clients: CLIENTS,
    durationMs: durationSeconds * 1000,
    thinkMs: THINK_MS,
    signal,
    onProgress: ({ elapsedMs, statements }) => {
      const { requests, errors } = reportOf(proxy.snapshot(), versions);
      const seconds = Math.min(Math.round(elapsedMs / 1000), durationSeconds);
      output.progress(
        `${seconds} of ${durationSeconds} s · ${statements} statements · transactions: ${requests.seen} seen, ${requests.replayed} replayed, ${requests.pending} pending · ${errors.query} statements failed on the mirror only`,
      );
    },
  });
  const settled = await isSettled(proxy);
  const report = reportOf(proxy.snapshot(), versions);
  output.line();
  output.line(summaryText({
    report,
    workload,
    breakages: workload.steps[UPGRADE_BREAKAGE.name] ?? 0,
    ...await compareTables(primary, mirror),
  }));
  if (!settled) output.line("The mirror had not caught up.");
  output.line(await verdictText(new URL("/readiness", proxy.pageUrl)));
  return report;
}

/** Whether every transaction has its outcome. */
async function isSettled(proxy: DemoProxy): Promise<boolean> {
  const value = (name: string) =>
    (proxy.snapshot().get(name)?.series ?? [])
      .reduce((sum, { value }) => sum + value, 0);
  try {
    await waitFor(
      "the mirror to catch up",
      () => value("clients") === 0 && value("mirror_pending_requests") === 0,
      SETTLE_MS,
    );
    return true;
  } catch {
    return false;
  }
}

/** Directly, not through the proxy. */
async function compareTables(...clusters: readonly Cluster[]) {
  const [a = {}, b = {}] = await Promise.all(clusters.map(async (cluster) => {
    const sql = postgres(cluster.url(SHOP_DATABASE), { max: 1 });
    try {
      return await tableChecksums(sql);
    } finally {
      await sql.end();
    }
  }));
  const tables = Object.keys(a);
  return {
    tables: tables.length,
    differing: tables.filter((table) => a[table] !== b[table]),
  };
}

function printAddresses(
  output: Output,
  primary: Cluster,
  mirror: Cluster,
  proxy: DemoProxy,
  configPath: string,
): void {
  const shop = (port: number) =>
    `psql ${primary.url(SHOP_DATABASE, SERVER_HOST, port)}`;
  const admin =
    `psql postgres://admin:${DEMO_ADMIN_PASSWORD}@${SERVER_HOST}:${proxy.adminPort}/admin`;
  output.line(`
  page      ${proxy.pageUrl}
  shop      ${shop(proxy.port)}
  console   ${admin} -c 'SHOW MIRRORS'
  primary   ${shop(primary.port)}
  mirror    ${shop(mirror.port)}
  config    ${configPath}
`);
}

/**
 * Listens for the first SIGINT or SIGTERM. The second finds no listener and
 * ends the process.
 */
function onInterrupt(): Disposable & {
  readonly signal: AbortSignal;
  readonly asked: Promise<void>;
} {
  const controller = new AbortController();
  const { promise, resolve } = Promise.withResolvers<void>();
  const signals = ["SIGINT", "SIGTERM"] as const;
  const stop = () => {
    for (const name of signals) Deno.removeSignalListener(name, heard);
  };
  const heard = () => {
    stop();
    controller.abort();
    resolve();
  };
  for (const name of signals) Deno.addSignalListener(name, heard);
  return {
    signal: controller.signal,
    asked: promise,
    [Symbol.dispose]: stop,
  };
}
