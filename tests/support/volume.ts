import assert from "node:assert/strict";
import { type Cluster, startCluster } from "./cluster.ts";
import { assertAllMatch, assertClosed, sum } from "./ledgers.ts";
import { runScript, type ScriptRun, server } from "./pgbench.ts";
import { mirrored, Program, residentKib } from "./program.ts";
import { runProgram } from "./programs.ts";
import type { Ledger } from "./proxy.ts";
import { Scrape } from "./scrape.ts";
import { askNumber, descriptorsBack, programSettled } from "./settled.ts";
import { waitFor } from "./wait.ts";

/** How much, and against which bounds. */
export interface VolumeOptions {
  /** At least so many, a third in each protocol: in rounds of three runs of pgbench. */
  readonly statements: number;
  readonly rounds: number;
  /** `mirror_queue`: transactions per client. */
  readonly queue: number;
  /** `mirror_queue_bytes`. */
  readonly queueBytes: number;
  /** Transactions per second; 0: as many as go, of which the mirror sheds most. */
  readonly rate: number;
  readonly sampleEveryMs: number;
  readonly onProgress?: (what: string, sample: Sample) => void;
}

/** The proxy at a moment of the run. */
export interface Sample {
  /** Since the load began. */
  readonly seconds: number;
  readonly residentKib: number;
  /** Transactions that wait for the mirror, and their bytes. */
  readonly queueLength: number;
  readonly queueBytes: number;
  readonly ledger: Ledger;
}

/** What a run came to; {@linkcode assertExact} judges it. */
export interface VolumeRun {
  /** What pgbench did, in transactions of {@linkcode STATEMENTS} each. */
  readonly transactions: number;
  /** Requests that only prepare a statement. */
  readonly prepares: number;
  readonly samples: readonly Sample[];
  /** Why transactions were not replayed, for each stop of the mirror. */
  readonly stops: readonly Readonly<Record<string, number>>[];
  readonly ledger: Ledger;
  /** `total_requests` of SHOW STATS. */
  readonly requests: number;
  /** Rows that the transactions have left, one each. */
  readonly primaryRows: number;
  readonly mirrorRows: number;
  /** Of the proxy's process, before the load and after each run of pgbench. */
  readonly descriptors: readonly number[];
}

export const VOLUME_CLIENTS = 64;
/** Of each transaction, BEGIN and COMMIT included. */
export const STATEMENTS = 10;
/** For what happens by itself once the load has done its part. */
const DEADLINE_MS = 60_000;
/** For the load: ten million statements take many minutes. */
const LOAD_DEADLINE_MS = 3_600_000;

/**
 * Reads find the same whatever was left out on the mirror before; each
 * transaction leaves one row, so that the servers know how many there were.
 */
const SQL = [
  "begin",
  "select bid from pgbench_accounts where aid = :a",
  "select bid from pgbench_accounts where aid = :b",
  "select filler from pgbench_accounts where aid = :a",
  "update pgbench_accounts set abalance = abalance + 1 where aid = :a",
  "select count(*) from pgbench_accounts where aid between :b and :b + 20",
  "select aid, bid from pgbench_accounts where aid = :a",
  "insert into pgbench_history (bid, aid, delta) values (1, :a, 1)",
  "select bbalance from pgbench_branches where bid = 1",
  "end",
];
const VARIABLES = "\\set a random(1, 100000)\n\\set b random(1, 99900)\n";

/** The protocols of a round, and why a transaction is not replayed while the mirror is stopped in one of them. */
const PROTOCOLS = [
  { mode: "simple", until: "queue_full" },
  { mode: "extended", until: "timeout" },
  { mode: "prepared", until: "mirror_down" },
] as const;

/**
 * 64 clients in each protocol, one after the other, in so many rounds. Once in
 * each protocol, spread over the rounds, the mirror's processes are stopped
 * (SIGSTOP), and continued (SIGCONT) when the ledger has the reason that this
 * stop is for.
 *
 * @throws {Error} if a client saw an error.
 */
export async function runVolume(options: VolumeOptions): Promise<VolumeRun> {
  await using primary = await startCluster({ version: "15" });
  await using mirror = await startCluster({ version: "15" });
  for (const { port } of [primary, mirror]) {
    await runProgram("pgbench", [...server(port), "-i", "-q", "postgres"]);
  }
  await using program = new Program();
  program.start(
    program.config(
      primary,
      `mirror_queue = ${options.queue}
mirror_queue_bytes = ${options.queueBytes}
mirror_timeout = 1000
connect_timeout = 2000
mirror_pacing = "asap"`,
    ) + mirrored(mirror),
  );
  await program.accepting();
  const load = new Load(program, mirror, options);
  await load.once();
  await programSettled(program, mirror);
  const descriptors = [program.descriptors()];
  const stops: Readonly<Record<string, number>>[] = [];
  for (let round = 0; round < options.rounds; round++) {
    for (const [i, { mode, until }] of PROTOCOLS.entries()) {
      const stopped = round === Math.floor((2 * i + 1) / 6 * options.rounds);
      if (stopped) stops.push(await load.stoppedMidway(mode, until));
      else await load.portion(mode);
      await programSettled(program, mirror);
      await descriptorsBack(program, descriptors[0] as number);
      descriptors.push(program.descriptors());
    }
  }
  await load.replaysAgain();
  await programSettled(program, mirror);
  const [stats] = await program.admin("SHOW STATS");
  return {
    transactions: load.transactions,
    prepares: load.prepares,
    samples: load.samples,
    stops,
    ledger: (await load.sample()).ledger,
    requests: Number(stats?.total_requests),
    primaryRows: await rows(primary),
    mirrorRows: await rows(mirror),
    descriptors,
  };
}

/** The clients of one proxy, and what they have done so far. */
class Load {
  transactions = 0;
  prepares = 0;
  readonly samples: Sample[] = [];
  readonly #program: Program;
  readonly #mirror: Cluster;
  readonly #options: VolumeOptions;
  readonly #begin = performance.now();

  constructor(program: Program, mirror: Cluster, options: VolumeOptions) {
    this.#program = program;
    this.#mirror = mirror;
    this.#options = options;
  }

  /** Transactions of one client in one run of pgbench. */
  get #each(): number {
    const { statements, rounds } = this.#options;
    return Math.ceil(
      statements / STATEMENTS / rounds / PROTOCOLS.length / VOLUME_CLIENTS,
    );
  }

  /** One client, one transaction. */
  once(): Promise<void> {
    return this.#run("simple", 1, 1);
  }

  /** All clients in one protocol, sampled meanwhile. */
  async portion(mode: ScriptRun["mode"]): Promise<void> {
    let over = false;
    await Promise.all([
      this.#run(mode, VOLUME_CLIENTS, this.#each).finally(() => over = true),
      this.#sampleWhile(mode, () => !over),
    ]);
  }

  /** The same, with the mirror stopped in the midst of it. @returns how often each reason was counted. */
  async stoppedMidway(
    mode: ScriptRun["mode"],
    until: string,
  ): Promise<Readonly<Record<string, number>>> {
    const before = (await this.sample()).ledger;
    const quarter = before.seen + this.#each * VOLUME_CLIENTS / 4;
    let over = false;
    const stop = async () => {
      await this.#until(
        `a quarter of ${mode}`,
        ({ seen }) => over || seen >= quarter,
        LOAD_DEADLINE_MS,
      );
      // Before the stop: the first time-outs may open the breaker, and be the last.
      const { ledger } = await this.sample();
      await this.#mirror.pause();
      try {
        await this.#until(
          until,
          (now) => count(reasons(now), until) > count(reasons(ledger), until),
        );
      } finally {
        this.#mirror.resume();
      }
    };
    await Promise.all([
      this.portion(mode).finally(() => over = true),
      stop(),
    ]);
    const { ledger } = await programSettled(this.#program, this.#mirror);
    return Object.fromEntries(
      Object.entries(reasons(ledger))
        .map(([reason, n]) => [reason, n - count(reasons(before), reason)])
        .filter(([, n]) => n !== 0),
    );
  }

  /** One transaction after the other, until one was replayed: the breaker may still be open. */
  async replaysAgain(): Promise<void> {
    const { replayed } =
      (await programSettled(this.#program, this.#mirror)).ledger;
    await waitFor("a replay after the last stop", async () => {
      await this.once();
      return (await programSettled(this.#program, this.#mirror)).ledger
        .replayed > replayed;
    }, DEADLINE_MS);
  }

  async sample(): Promise<Sample> {
    const scrape = await Scrape.of(this.#program.httpPort);
    const sample = {
      seconds: (performance.now() - this.#begin) / 1e3,
      residentKib: residentKib(this.#program.pid),
      queueLength: scrape.sum("mirror_queue_length"),
      queueBytes: scrape.sum("mirror_queue_bytes"),
      ledger: scrape.ledger(),
    };
    this.samples.push(sample);
    return sample;
  }

  async #sampleWhile(what: string, running: () => boolean): Promise<void> {
    while (running()) {
      this.#options.onProgress?.(what, await this.sample());
      await new Promise((resolve) =>
        setTimeout(resolve, this.#options.sampleEveryMs)
      );
    }
  }

  async #until(
    what: string,
    condition: (ledger: Ledger) => boolean,
    timeoutMs = DEADLINE_MS,
  ): Promise<void> {
    await waitFor(what, async () => {
      const scrape = await Scrape.of(this.#program.httpPort);
      return condition(scrape.ledger());
    }, timeoutMs);
  }

  async #run(
    mode: ScriptRun["mode"],
    clients: number,
    transactionsPerClient: number,
  ): Promise<void> {
    // The simple protocol takes all in one message.
    const separator = mode === "simple" ? " \\;\n" : ";\n";
    const path = `${this.#program.folder}/${mode}.sql`;
    await Deno.writeTextFile(path, `${VARIABLES}${SQL.join(separator)};\n`);
    await runScript({
      port: this.#program.port,
      path,
      mode,
      clients,
      transactionsPerClient,
      rate: this.#options.rate,
    });
    this.transactions += clients * transactionsPerClient;
    // pgbench 15 prepares a statement when it first comes to it: BEGIN's Parse
    // is a request of its own, the others are within the transaction.
    if (mode === "prepared") this.prepares += clients;
  }
}

/** Every account must close, to the digit. */
export function assertExact(run: VolumeRun): void {
  const { ledger, samples, stops, transactions, prepares } = run;
  const text = JSON.stringify(run.ledger);
  assertClosed(ledger);
  assert.equal(ledger.seen, transactions + prepares, `clients; ${text}`);
  assert.equal(run.requests, ledger.seen, "SHOW STATS");
  assert.deepEqual(ledger.excluded, {}, text);
  for (const [i, { until }] of PROTOCOLS.entries()) {
    const counted = stops[i] ?? {};
    assert.ok(
      count(counted, until) > 0,
      `${until}: ${JSON.stringify(counted)}`,
    );
  }
  // Each server's own account.
  assert.equal(run.primaryRows, transactions, "rows on the primary");
  const replayed = ledger.replayed - prepares;
  const failed = sum(ledger.failed);
  assert.ok(
    run.mirrorRows >= replayed && run.mirrorRows <= replayed + failed,
    `${run.mirrorRows} rows on the mirror: ${text}`,
  );
  // A replay that failed may have compared some of its statements.
  const statements = sum(ledger.statements);
  assert.ok(
    statements >= replayed * STATEMENTS &&
      statements <= (replayed + failed) * STATEMENTS,
    `${statements} statements: ${text}`,
  );
  assertAllMatch(ledger, text);
  for (const [i, { ledger: now }] of samples.entries()) {
    assert.ok(now.pending >= 0, `sample ${i}: ${JSON.stringify(now)}`);
  }
}

/** Bounds, and that nothing is left of clients that have gone. */
export function assertBounded(run: VolumeRun, options: VolumeOptions): void {
  for (const { queueLength, queueBytes } of run.samples) {
    assert.ok(
      queueLength <= VOLUME_CLIENTS * options.queue &&
        queueBytes <= options.queueBytes,
      `${queueLength} transactions, ${queueBytes} bytes queued`,
    );
  }
  const [first, ...later] = run.descriptors;
  for (const each of later) assert.equal(each, first, "descriptors");
}

/** Reasons of what was not replayed, with their counts. */
function reasons(ledger: Ledger): Readonly<Record<string, number>> {
  return { ...ledger.dropped, ...ledger.failed };
}

function count(counts: Readonly<Record<string, number>>, name: string): number {
  return counts[name] ?? 0;
}

/** Rows that the load has left. */
function rows(cluster: Cluster): Promise<number> {
  return askNumber(cluster, "select count(*) from pgbench_history");
}
