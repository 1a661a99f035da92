import { CpuWatch } from "../cpu_watch.ts";
import { type Mode, pgbench, type Run, type Workload } from "../pgbench.ts";
import { residentKib } from "../support.ts";
import { copyIn, fetchLarge, fetchSlowly, type Moved } from "./bulk.ts";
import { type Contender, type TargetName, TARGETS } from "./field.ts";
import type { Figures, Labels, Metric } from "./figures.ts";
import type { Options, ScenarioName } from "./options.ts";

/** What a target did, and what the ledger must have seen of it. */
export interface Measured {
  readonly figures: Figures;
  /** Transactions that clients saw completed. */
  readonly transactions: number;
}

export interface Case {
  readonly labels: Labels;
  /** Why a target can't take part. */
  readonly cannot?: (target: Contender) => string | undefined;
  /** @throws {Error} if a client sees an error. */
  readonly measure: (target: Contender) => Promise<Measured>;
}

export interface Scenario {
  readonly title: string;
  readonly targets: readonly TargetName[];
  /** Ratios that the table has: a metric against a target's. */
  readonly ratios: readonly (readonly [metric: Metric, baseline: TargetName])[];
  readonly cases: (options: Options) => Case[];
}

/** All but the proxies whose mirror is not well. */
const PEERS = TARGETS.filter((name) => !/(?:slow|dead) mirror$/.test(name));
const OF_THROUGHPUT = [
  ["perSecond", "direct"],
  ["perSecond", "pgbouncer, session"],
  ["cpuUs", "pgbouncer, session"],
] as const;
const OF_VOLUME = [
  ["mbPerSecond", "direct"],
  ["mbPerSecond", "haproxy"],
  ["cpuUsPerMb", "haproxy"],
] as const;
const OF_MIRRORS = [
  ["perSecond", "proxy"],
  ["cpuUs", "proxy"],
] as const;
/** Beside the slow clients: far from what any target can do. */
const STEADY_CLIENTS = 8;

/** All of them, by the names of `--only`. */
export const SCENARIO: Readonly<Record<ScenarioName, Scenario>> = {
  select: {
    title: "Read-only: pgbench -S",
    targets: PEERS,
    ratios: OF_THROUGHPUT,
    cases: (options) => transactionCases(options, "select"),
  },
  tpcb: {
    title: "TPC-B-like: pgbench's own",
    targets: PEERS,
    ratios: OF_THROUGHPUT,
    cases: (options) => transactionCases(options, "tpcb"),
  },
  shop: {
    title: "The shop: reads, joins and an order in a transaction (shop.sql)",
    targets: PEERS,
    ratios: OF_THROUGHPUT,
    cases: (options) => transactionCases(options, "shop"),
  },
  storm: {
    title:
      "Connection storm: a connection for each transaction (pgbench -C -S)",
    targets: PEERS,
    ratios: OF_THROUGHPUT,
    cases: (options) =>
      options.clients.map((clients) => ({
        labels: { what: "storm", mode: "simple", clients },
        measure: async (target) =>
          ofRun(
            target,
            await pgbench(target, {
              ...lengthOf(options),
              clients,
              reconnect: true,
            }),
          ),
      })),
  },
  result: {
    title: "One large result",
    targets: PEERS,
    ratios: OF_VOLUME,
    cases: ({ resultBytes }) => [{
      labels: { what: `result of ${megabytes(resultBytes)}` },
      measure: async (target) =>
        ofMoved(target, await fetchLarge(target, "select", resultBytes)),
    }],
  },
  copy: {
    title: "Large COPY, both ways",
    targets: PEERS,
    ratios: OF_VOLUME,
    cases: ({ resultBytes, copyBytes }) => [{
      labels: { what: `COPY to the client, ${megabytes(resultBytes)}` },
      measure: async (target) =>
        ofMoved(target, await fetchLarge(target, "copy", resultBytes)),
    }, {
      labels: { what: `COPY to the server, ${megabytes(copyBytes)}` },
      measure: async (target) =>
        ofMoved(target, await copyIn(target, copyBytes)),
    }],
  },
  "slow-client": {
    title: "Clients that read slowly, and the others",
    targets: PEERS,
    ratios: [["besideP99Ms", "direct"], ["besideP99Ms", "haproxy"]],
    cases: slowClientCases,
  },
  "slow-mirror": {
    title: "A mirror ten times slower",
    targets: ["proxy", "proxy, mirror", "proxy, slow mirror"],
    ratios: OF_MIRRORS,
    cases: mirrorCases,
  },
  "dead-mirror": {
    title: "A mirror that is dead all the time",
    targets: ["proxy", "proxy, mirror", "proxy, dead mirror"],
    ratios: OF_MIRRORS,
    cases: mirrorCases,
  },
};

function transactionCases(options: Options, workload: Workload): Case[] {
  return options.modes.flatMap((mode) =>
    options.clients.map((clients) => ({
      labels: { what: workload, mode, clients },
      cannot: (target: Contender) => preparing(mode, target),
      measure: async (target: Contender) =>
        ofRun(
          target,
          await pgbench(target, {
            ...lengthOf(options),
            clients,
            workload,
            mode,
          }),
        ),
    }))
  );
}

/** With the mirror in trouble: simple protocol, reads and writes. */
function mirrorCases(options: Options): Case[] {
  return (["select", "tpcb"] as const).flatMap((workload) =>
    transactionCases({ ...options, modes: ["simple"] }, workload)
  );
}

/** PgBouncer knows prepared statements since 1.21, and Debian 12 has 1.18. */
function preparing(mode: Mode, target: Contender): string | undefined {
  return mode === "prepared" && target.name === "pgbouncer, transaction"
    ? "no prepared statements across transactions before PgBouncer 1.21"
    : undefined;
}

/** At a fixed rate, first alone, then beside clients that read a large result slowly. */
function slowClientCases(options: Options): Case[] {
  const { seconds, transactions, rate, slowClients, resultBytes } = options;
  const load = {
    clients: STEADY_CLIENTS,
    seconds,
    transactions,
    rate,
    log: true,
  };
  return [{
    labels: {
      what: `${slowClients} slow clients, others at ${rate} per second`,
      clients: STEADY_CLIENTS,
    },
    measure: async (target) => {
      const alone = await pgbench(target, load);
      const before = target.pid === undefined ? 0 : residentKib(target.pid);
      const watch = CpuWatch.start(target);
      try {
        const beside = await fetchSlowly(
          target,
          slowClients,
          resultBytes,
          () => pgbench(target, load),
        );
        watch.stop();
        return {
          transactions: alone.transactions + beside.transactions,
          figures: {
            ...(alone.p50Ms === undefined ? {} : { p50Ms: alone.p50Ms }),
            ...(alone.p99Ms === undefined ? {} : { p99Ms: alone.p99Ms }),
            ...(beside.p50Ms === undefined
              ? {}
              : { besideP50Ms: beside.p50Ms }),
            ...(beside.p99Ms === undefined
              ? {}
              : { besideP99Ms: beside.p99Ms }),
            ...(target.pid === undefined
              ? {}
              : { memoryMb: (watch.peakKib - before) / 1024 }),
          },
        };
      } finally {
        watch.stop();
      }
    },
  }];
}

function lengthOf({ seconds, transactions }: Options) {
  return { seconds, transactions };
}

function ofRun(target: Contender, run: Run): Measured {
  const { transactions, tps, latencyMs, cpuUs, processCpuUs } = run;
  const cpu = target.pid === undefined ? {} : { cpuUs, processCpuUs };
  return { transactions, figures: { perSecond: tps, latencyMs, ...cpu } };
}

function ofMoved(target: Contender, moved: Moved): Measured {
  const megabytes = moved.bytes / 1e6;
  return {
    transactions: 1,
    figures: {
      mbPerSecond: megabytes / (moved.ms / 1e3),
      ...(target.pid === undefined ? {} : {
        cpuUsPerMb: moved.cpuUs / megabytes,
        processCpuUsPerMb: moved.processCpuUs / megabytes,
      }),
    },
  };
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
