import { isMismatch, isNoise, RESULTS } from "../../../src/stats/mod.ts";
import { type Cluster, type ClusterOptions, startCluster } from "../cluster.ts";
import { onServer } from "../on_server.ts";
import {
  freePort,
  type Ledger,
  type ProxyOptions,
  TestProxy,
} from "../proxy.ts";
import { waitFor } from "../wait.ts";
import type { Protocol } from "./connection.ts";
import { runPsycopg } from "./psycopg.ts";
import { schema } from "./schema.ts";
import { compareTables, type TableComparison } from "./tables.ts";
import { type SeenResult, seenResults } from "../seen_results.ts";
import {
  runTraffic,
  type TrafficOptions,
  type TrafficResult,
} from "./traffic.ts";

export interface TwinOptions extends Omit<TrafficOptions, "protocol"> {
  /** psycopg 3 is a program of its own, with a smaller shop. */
  readonly protocol: Protocol | "psycopg";
  /** Keys of `[general]`. */
  readonly general?: NonNullable<ProxyOptions["general"]>;
  /** Of both servers' postgresql.conf. */
  readonly settings?: NonNullable<ClusterOptions["settings"]>;
  /** The mirror's version. Default: the primary's, 15. */
  readonly mirrorVersion?: ClusterOptions["version"];
  /** Run on the mirror before the first client comes: a defect. */
  readonly defect?: string;
  /** What the mirror gets for what is pending after the last client. Default: a minute. */
  readonly settleMs?: number;
}

/** What the shop's traffic came to on two equal servers. */
export interface TwinRun extends TrafficResult {
  readonly ledger: Ledger;
  readonly mismatches: readonly SeenResult[];
  readonly noise: readonly SeenResult[];
  readonly orderBreaks: number;
  /** Transactions that the primary's log did not tell of, with `mirror_values = "log"`. */
  readonly logMissed: number;
  /** The verdict, with limits that seconds can meet. */
  readonly headline: string;
  /** Why it is not READY: reasons, and gates that do not pass. */
  readonly reasons: readonly string[];
  /** What it names as likely causes of differences. */
  readonly causes: readonly string[];
  readonly tables: readonly TableComparison[];
  /** Of the traffic, and until the mirror had done the same. */
  readonly seconds: number;
  readonly lagSeconds: number;
}

/** As `/readiness` gives it. */
interface Verdict {
  readonly headline: string;
  readonly reasons: readonly string[];
  readonly causes: readonly string[];
  readonly gates: readonly {
    readonly gate: string;
    readonly status: string;
    readonly sentence: string;
  }[];
}

const SETTLE_MS = 60_000;
const REPORT_MS = 30_000;

/** Runs the shop against a proxy with two servers of equal data. */
export async function runTwinShop(options: TwinOptions): Promise<TwinRun> {
  const { way, general, settings = {}, mirrorVersion = "15" } = options;
  const { settleMs = SETTLE_MS } = options;
  const initSql = schema(way);
  const hasLog = general?.mirror_values === "log";
  const start = (version: ClusterOptions["version"]) =>
    startCluster({
      version,
      initSql,
      settings: hasLog ? { wal_level: "logical", ...settings } : settings,
    });
  await using primary: Cluster = await start("15");
  await using mirror: Cluster = await start(mirrorVersion);
  const { defect } = options;
  if (defect !== undefined) {
    await onServer(mirror, (sql) => sql.unsafe(defect));
  }
  const httpPort = freePort();
  await using proxy = await TestProxy.start({
    primary,
    mirror,
    ...(hasLog ? { primaryKeys: 'user = "postgres"' } : {}),
    general: {
      mirror_queue: 1_000_000,
      mirror_queue_bytes: 1 << 30,
      mirror_pacing: "asap",
      // A login to the mirror waits for the processor; nothing is shed for it.
      connect_timeout: 60_000,
      mirror_min_runtime_hours: 0,
      mirror_min_requests: 2,
      mirror_max_latency_ratio: 1_000,
      openmetrics_port: httpPort,
      ...general,
    },
    more: "[plugins.readiness]\nmin_pairs = 2\n",
  });
  // A lane is there, and the catalog has been read.
  await onServer({ url: () => proxy.url() }, (sql) => sql`select 1`);
  await proxy.replayed(1);
  if (hasLog) await logIsRead(proxy);
  const began = performance.now();
  const { protocol } = options;
  const traffic =
    await (protocol === "psycopg"
      ? runPsycopg(proxy.url(), options)
      : runTraffic(proxy.url(), primary.url(), { ...options, protocol }));
  const trafficEnded = performance.now();
  // A mirror that stands still is a result, too: `ledger.pending` says it.
  const ledger = await proxy.settled(settleMs).catch(() => proxy.ledger());
  const lagSeconds = (performance.now() - trafficEnded) / 1e3;
  const mismatches = await seenResults(proxy, isMismatch, REPORT_MS);
  const noise = await seenResults(proxy, isNoise, REPORT_MS);
  const verdict = await fetch(`http://127.0.0.1:${httpPort}/readiness`);
  const { headline, reasons, causes, gates }: Verdict = await verdict.json();
  const sum = (metric: string) =>
    proxy.supervisor.snapshot().get(metric)?.series.reduce(
      (all, { value }) => all + value,
      0,
    ) ?? 0;
  return {
    ...traffic,
    ledger,
    mismatches,
    noise,
    orderBreaks: sum("mirror_order_breaks_total"),
    logMissed: sum("mirror_log_missed_total"),
    headline,
    reasons: [
      ...reasons,
      ...gates.filter(({ status }) => status !== "pass")
        .map(({ gate, sentence }) => `${gate}: ${sentence}`),
    ],
    causes,
    tables: await compareTables(primary, mirror),
    seconds: (trafficEnded - began) / 1e3,
    lagSeconds,
  };
}

/** Until then the mirror would make its own values. */
async function logIsRead(proxy: TestProxy): Promise<void> {
  await waitFor(
    "the primary's log to be read",
    () => proxy.logs.some((line) => line.includes("The primary's log is read")),
    20_000,
  );
}

/** Statements, and which share of them were mismatches and noise. */
export function shares({ ledger }: TwinRun) {
  const of = (is: (result: number) => boolean) =>
    RESULTS.reduce(
      (all, name, i) => all + (is(i) ? ledger.statements[name] ?? 0 : 0),
      0,
    );
  const statements = of(() => true);
  return {
    statements,
    mismatches: of(isMismatch) / statements,
    noise: of(isNoise) / statements,
  };
}
