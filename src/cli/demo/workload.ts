import postgres from "postgres";
import { SHOP_SIZE } from "./schema.ts";
import {
  type Step,
  STEPS,
  UPGRADE_BREAKAGE,
  type WorkloadClient,
} from "./workload_steps.ts";

export interface WorkloadOptions {
  /** Of the shop's database; the proxy's address or a server's. */
  readonly url: string;
  readonly clients: number;
  /** Which of them to run, from 0. Default: all. */
  readonly indexes?: readonly number[];
  /** Ends after this time … */
  readonly durationMs?: number;
  /** … or when each client took so many steps, the same in each run. */
  readonly stepsPerClient?: number;
  readonly signal?: AbortSignal;
  /** Of the random choices. Default 1. */
  readonly seed?: number;
  /** Which of several runs on the same tables this is, from 0 (the default): new rows never collide. */
  readonly run?: number;
  /** Whether to run the statement that PostgreSQL 17 broke. Default true. */
  readonly upgradeBreakage?: boolean;
  /** A client's pause between two steps. Default 0. */
  readonly thinkMs?: number;
  /** Called about once a second. */
  readonly onProgress?: (progress: WorkloadCounts) => void;
}

export interface WorkloadCounts {
  readonly elapsedMs: number;
  /** Sent to the server, BEGIN and COMMIT included. */
  readonly statements: number;
  readonly errorsExpected: number;
  readonly errorsUnexpected: number;
}

export interface WorkloadResult extends WorkloadCounts {
  /** How often each step was taken, by its name. */
  readonly steps: Readonly<Record<string, number>>;
  /** Text of unexpected errors, the first few. */
  readonly unexpected: readonly string[];
}

const PROGRESS_MS = 1_000;
/** A client that failed waits, so that a dead server is not asked in a hot loop. */
const AFTER_FAILURE_MS = 100;
/** What a connection gets to close. */
const END_SECONDS = 5;
const MAX_MESSAGES = 10;
/** Ids that one run of one client may give out. */
const IDS_PER_RUN = 10_000_000;

/**
 * Runs a mixed workload on the shop: reads, writes, explicit transactions,
 * prepared statements, COPY both ways, and statements that must fail. An error
 * that is not meant ends the step, never the workload.
 */
export async function runWorkload(
  options: WorkloadOptions,
): Promise<WorkloadResult> {
  const { clients, signal, onProgress, thinkMs = 0 } = options;
  const { stepsPerClient = Infinity, durationMs = Infinity } = options;
  if (stepsPerClient === Infinity && durationMs === Infinity && !signal) {
    throw new TypeError(
      "A workload needs durationMs, stepsPerClient or signal",
    );
  }
  if (clients > SHOP_SIZE.customers) {
    throw new RangeError(
      `A workload has at most ${SHOP_SIZE.customers} clients, not ${clients}: each owns a customer`,
    );
  }
  const choose = chooser(
    options.upgradeBreakage === false ? STEPS : [...STEPS, UPGRADE_BREAKAGE],
  );
  const started = performance.now();
  const elapsedMs = () => performance.now() - started;
  let statements = 0;
  let errorsUnexpected = 0;
  const unexpected: string[] = [];
  const steps: Record<string, number> = {};
  const indexes = options.indexes ?? [...new Array(clients).keys()];
  const all = indexes.map(newClient);
  const counts = (): WorkloadCounts => ({
    elapsedMs: elapsedMs(),
    statements,
    errorsExpected: all.reduce((sum, c) => sum + c.errorsExpected, 0),
    errorsUnexpected,
  });
  const timer = setInterval(() => onProgress?.(counts()), PROGRESS_MS);
  try {
    await Promise.all(all.map(runClient));
  } finally {
    clearInterval(timer);
  }
  return { ...counts(), steps, unexpected };

  function newClient(index: number): WorkloadClient {
    const client: WorkloadClient = {
      sql: connect(),
      index,
      clients,
      random: seededRandom((options.seed ?? 1) * 1_000_003 + index),
      orders: [],
      lastId: (options.run ?? 0) * IDS_PER_RUN,
      errorsExpected: 0,
      async reconnect() {
        await client.sql.end();
        client.sql = connect();
      },
    };
    return client;
  }

  function connect(): postgres.Sql {
    return postgres(options.url, {
      max: 1,
      onnotice: () => {},
      // It would read the catalog at each login, which differs by version.
      fetch_types: false,
      debug: () => statements++,
    });
  }

  async function runClient(client: WorkloadClient): Promise<void> {
    for (let step = 0; step < stepsPerClient; step++) {
      if (signal?.aborted || elapsedMs() > durationMs) break;
      const { name, run } = choose(client.random());
      steps[name] = (steps[name] ?? 0) + 1;
      try {
        await run(client);
      } catch (error) {
        errorsUnexpected++;
        if (unexpected.length < MAX_MESSAGES) {
          unexpected.push(`${name}: ${textOf(error)}`);
        }
        await pause(AFTER_FAILURE_MS);
      }
      if (thinkMs > 0) await pause(thinkMs);
    }
    await client.sql.end({ timeout: END_SECONDS });
  }
}

/** Maps a number from 0 to less than 1 to a step, by weight. */
function chooser(steps: readonly Step[]): (random: number) => Step {
  const byWeight = steps.flatMap((step) =>
    new Array<Step>(step.weight).fill(step)
  );
  return (random) => {
    const step = byWeight[Math.floor(random * byWeight.length)];
    if (step === undefined) throw new RangeError(`No step at ${random}`);
    return step;
  };
}

/** Tommy Ettinger's mulberry32: small, and good enough to choose steps. */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function textOf(error: unknown): string {
  return error instanceof postgres.PostgresError
    ? `${error.code} ${error.message}`
    : error instanceof Error
    ? error.message
    : String(error);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
