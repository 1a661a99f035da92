import type { Verdict } from "../../plugins/readiness/score.ts";
import { loadShop } from "../../src/cli/demo/schema.ts";
import { runWorkload } from "../../src/cli/demo/workload.ts";
import { isMismatch } from "../../src/stats/mod.ts";
import { type Cluster, SHOP_DATABASE, startCluster } from "./cluster.ts";
import { server } from "./pgbench.ts";
import { runProgram } from "./programs.ts";
import { freePort, type Ledger, TestProxy } from "./proxy.ts";
import { type SeenResult, seenResults } from "./seen_results.ts";

/** pgbench's TPC-B at scale 1 in its three protocols, and the shop's mix. */
export const WORKLOADS = ["tpcb", "shop"] as const;
export type IdenticalWorkload = typeof WORKLOADS[number];

export interface IdenticalOptions {
  /** At least so many are compared, of each workload. */
  readonly statements: number;
  /** Default 16. */
  readonly clients?: number;
  /** One row of a thousand is wrong on the mirror, in a table of each workload. */
  readonly defect?: boolean;
  readonly onProgress?: (statements: Readonly<Record<string, number>>) => void;
}

/** What a run on two equal servers came to. */
export interface IdenticalRun {
  readonly ledger: Ledger;
  /** Statements by result, of each workload. */
  readonly results: Readonly<
    Record<IdenticalWorkload, Readonly<Record<string, number>>>
  >;
  readonly mismatches: readonly SeenResult[];
  readonly verdict: SeenVerdict;
}

/** What `/readiness` says in the end. No hours of traffic are asked for; all other limits are the defaults. */
export interface SeenVerdict {
  readonly headline: string;
  /** Gates that did not pass: name, status and sentence. */
  readonly open: readonly string[];
}

/** One row of a thousand is wrong, in columns that the shop does not write and TPC-B only adds to. */
const DEFECT = [
  "update pgbench_accounts set abalance = abalance + 1 where aid % 1000 = 7",
  "update customers set country = 'XX' where id = 500",
];
const CLIENTS = 16;
/** Of one workload, before the other's turn: at least so many … */
const PORTION = 20_000;
/** … and no more turns than these: the shop has ids for a hundred. */
const TURNS_AT_MOST = 50;
/** Statements of a transaction. */
const TPCB_STATEMENTS = 7;
/** Statements of a step: 2.7 on average. */
const SHOP_STATEMENTS = 2.5;
const PROTOCOLS = ["simple", "extended", "prepared"] as const;
const DEADLINE_MS = 120_000;

/**
 * Runs both workloads by turns against a proxy with two servers of one version
 * and equal data. Before each turn nothing is pending, so that nothing is shed.
 */
export async function runOnIdenticalServers(
  options: IdenticalOptions,
): Promise<IdenticalRun> {
  const { statements, clients = CLIENTS, defect = false, onProgress } = options;
  await using primary = await startCluster({ version: "15" });
  await using mirror = await startCluster({ version: "15" });
  for (const cluster of [primary, mirror]) await load(cluster);
  if (defect) {
    const sql = DEFECT.flatMap((text) => ["-c", text]);
    await runProgram("psql", [
      ...server(mirror.port),
      ...["-X", "-v", "ON_ERROR_STOP=1", ...sql, SHOP_DATABASE],
    ]);
  }
  const httpPort = freePort();
  await using proxy = await TestProxy.start({
    primary,
    mirror,
    database: SHOP_DATABASE,
    general: {
      openmetrics_port: httpPort,
      mirror_min_runtime_hours: 0,
      mirror_queue: 1_000_000,
      mirror_queue_bytes: 1 << 30,
      mirror_pacing: "asap",
    },
  });
  const results = { tpcb: {}, shop: {} };
  const portion = Math.max(PORTION, Math.ceil(statements / TURNS_AT_MOST));
  for (
    let turn = 0;
    WORKLOADS.some((one) => sum(results[one]) < statements);
    turn++
  ) {
    for (const workload of WORKLOADS) {
      const before = proxy.ledger().statements;
      await TURNS[workload]({ port: proxy.port, clients, portion, turn });
      await proxy.settled(DEADLINE_MS);
      results[workload] = added(
        results[workload],
        before,
        proxy.ledger().statements,
      );
    }
    onProgress?.({ tpcb: sum(results.tpcb), shop: sum(results.shop) });
  }
  const ledger = await proxy.settled(DEADLINE_MS);
  const mismatches = await seenResults(proxy, isMismatch, DEADLINE_MS);
  // All statements are reported by now.
  return { ledger, results, mismatches, verdict: await verdictOf(httpPort) };
}

/** One turn of a workload. */
interface Turn {
  readonly port: number;
  readonly clients: number;
  /** Statements, at least. */
  readonly portion: number;
  /** Its number, from 0: it decides on the protocol and the seed. */
  readonly turn: number;
}

const TURNS: Readonly<
  Record<IdenticalWorkload, (turn: Turn) => Promise<void>>
> = {
  async tpcb({ port, clients, portion, turn }) {
    const each = Math.ceil(portion / TPCB_STATEMENTS / clients);
    await runProgram("pgbench", [
      ...server(port),
      ...["-n", "-c", `${clients}`, "-j", "2", "-t", `${each}`],
      ...["-M", PROTOCOLS[turn % PROTOCOLS.length] as string],
      SHOP_DATABASE,
    ]);
  },
  async shop({ port, clients, portion, turn }) {
    const { unexpected: [error] } = await runWorkload({
      url: `postgres://postgres@127.0.0.1:${port}/${SHOP_DATABASE}`,
      clients,
      stepsPerClient: Math.ceil(portion / SHOP_STATEMENTS / clients),
      upgradeBreakage: false,
      run: turn,
      seed: turn + 1,
    });
    if (error !== undefined) throw new Error(error);
  },
};

async function load(cluster: Cluster): Promise<void> {
  await loadShop((database) => cluster.url(database));
  await runProgram("pgbench", [
    ...server(cluster.port),
    ...["-i", "-q", SHOP_DATABASE],
  ]);
}

async function verdictOf(httpPort: number): Promise<SeenVerdict> {
  const answer = await fetch(`http://127.0.0.1:${httpPort}/readiness`);
  const { headline, gates }: Pick<Verdict, "headline" | "gates"> = await answer
    .json();
  return {
    headline,
    open: gates.filter(({ status }) => status !== "pass")
      .map(({ gate, status, sentence }) => `${gate} ${status}: ${sentence}`),
  };
}

type Counts = Readonly<Record<string, number>>;

function sum(counts: Counts): number {
  return Object.values(counts).reduce((all, n) => all + n, 0);
}

/** `counts`, and what has been counted between the two. */
function added(counts: Counts, before: Counts, after: Counts): Counts {
  const result: Record<string, number> = { ...counts };
  for (const [name, n] of Object.entries(after)) {
    const more = n - (before[name] ?? 0);
    if (more > 0) result[name] = (result[name] ?? 0) + more;
  }
  return result;
}
