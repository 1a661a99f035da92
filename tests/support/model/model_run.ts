import assert from "node:assert/strict";
import fc from "fast-check";
import postgres from "postgres";
import { isMismatch, RESULTS } from "../../../src/stats/mod.ts";
import { type Cluster, startCluster } from "../cluster.ts";
import { type Ledger, TestProxy } from "../proxy.ts";
import { waitFor } from "../wait.ts";
import { COPY_TABLES } from "./copy_server.ts";
import { copyScripts } from "./copy_sessions.ts";
import { describeScript, type Script, scripts as scriptsOf } from "./script.ts";
import { ScriptClient } from "./script_client.ts";
import { TABLES } from "./statements.ts";

/** What {@linkcode runModel} is asked for. */
export interface ModelOptions {
  readonly scripts: number;
  readonly seed: number;
  /** Scripts played at a time, each player in a schema of its own. Default 2. */
  readonly players?: number;
  /** No script begins after so many milliseconds. Default: no limit. */
  readonly limitMs?: number;
  /** Waits for the mirror after each script and names the one that differs; slow. */
  readonly eachScript?: boolean;
  readonly onProgress?: (scripts: number) => void;
}

export interface ModelRun {
  readonly scripts: number;
  readonly ledger: Ledger;
  /** Results that count as mismatches. */
  readonly mismatches: readonly string[];
}

/**
 * Equal servers: all that was seen is replayed, and matches.
 *
 * @throws {AssertionError}
 */
export function assertEqualServers({ ledger, mismatches }: ModelRun): void {
  assert.deepEqual(mismatches, []);
  const { seen, replayed, pending, excluded, dropped, failed } = ledger;
  assert.deepEqual({ pending, excluded, dropped, failed }, {
    pending: 0,
    excluded: {},
    dropped: {},
    failed: {},
  });
  assert.equal(seen, replayed);
}

/** Direct and proxied use copies of one database, so that even oids are equal. */
export const DIRECT = "direct";
export const PROXIED = "proxied";
/** Scripts of one session. */
const SESSION_SCRIPTS = 10;

/**
 * Plays random legal scripts directly against PostgreSQL and through the proxy,
 * whose mirror is an equal server, and compares all replies.
 *
 * @throws {AssertionError} with the smallest script found whose replies differ.
 */
export async function runModel(options: ModelOptions): Promise<ModelRun> {
  const { players = 2 } = options;
  await using primary = await startModelServer(players);
  await using mirror = await startModelServer(players);
  await using proxy = await TestProxy.start({
    primary,
    mirror,
    database: PROXIED,
    general: {
      mirror_queue: 1_000_000,
      mirror_queue_bytes: 1024 ** 3,
      mirror_timeout: 60_000,
      // A busy machine is none of the mirror's failures.
      connect_timeout: 60_000,
      mirror_pacing: "asap",
    },
  });
  let scripts = 0;
  const deadline = performance.now() + (options.limitMs ?? Infinity);
  await Promise.all(Array.from({ length: players }, async (_, player) => {
    using pair = new Pair(primary, proxy, player);
    const property = fc.asyncProperty(
      fc.oneof(
        { weight: 3, arbitrary: scriptsOf(`ch${player}`) },
        { weight: 1, arbitrary: copyScripts },
      ),
      async (script) => {
        // Not fast-check's own limit: that leaves a script to itself.
        if (performance.now() > deadline) return;
        const before = proxy.ledger();
        try {
          await pair.play(script);
          if (options.eachScript) await assertNothingNew(proxy, before);
        } catch (error) {
          pair.close(); // the next one begins anew
          throw error;
        }
        scripts++;
        options.onProgress?.(scripts);
      },
    );
    await fc.assert(property, {
      seed: options.seed + player,
      numRuns: Math.ceil(options.scripts / players),
      endOnFailure: false,
      reporter: report,
    });
  }));
  const ledger = await proxy.settled(120_000);
  const mismatches = proxy.supervisor.statements()
    .flatMap((statement) =>
      statement.results
        .map((count, result) => ({ count, result }))
        .filter(({ count, result }) => count > 0 && isMismatch(result))
        .map(({ count, result }) =>
          `${count} ${RESULTS[result]}: ${statement.text}`
        )
    );
  return { scripts, ledger, mismatches };
}

/** One player's two sessions: directly, and through the proxy. */
class Pair implements Disposable {
  readonly #primary: Cluster;
  readonly #proxy: TestProxy;
  readonly #schema: string;
  #direct: ScriptClient | undefined;
  #proxied: ScriptClient | undefined;
  #played = 0;

  constructor(primary: Cluster, proxy: TestProxy, player: number) {
    this.#primary = primary;
    this.#proxy = proxy;
    this.#schema = `w${player}`;
  }

  /** @throws {AssertionError} if the replies differ. */
  async play(script: Script): Promise<void> {
    if (this.#played++ % SESSION_SCRIPTS === 0) this.close();
    this.#direct ??= await this.#connect(this.#primary.port, DIRECT);
    this.#proxied ??= await this.#connect(this.#proxy.port, PROXIED);
    const expected = await this.#direct.play(script);
    const actual = await this.#proxied.play(script);
    assert.deepEqual(actual, expected);
  }

  close(): void {
    this.#direct?.[Symbol.dispose]();
    this.#proxied?.[Symbol.dispose]();
    this.#direct = this.#proxied = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #connect(port: number, database: string): Promise<ScriptClient> {
    return ScriptClient.connect(port, {
      user: "postgres",
      database,
      options: `-c search_path=${this.#schema}`,
    });
  }
}

/** A server with the databases {@linkcode DIRECT} and {@linkcode PROXIED}, a schema for each player in both. */
export async function startModelServer(players: number): Promise<Cluster> {
  const cluster = await startCluster({
    version: "15",
    // Physical order is part of what an UPDATE without ORDER BY answers.
    settings: { autovacuum: "off", statement_timeout: "5s" },
    initSql: `create database ${DIRECT}`,
  });
  const sql = postgres(cluster.url(DIRECT), { max: 1, onnotice() {} });
  for (let i = 0; i < players; i++) {
    await sql.unsafe(
      `create schema w${i}; set search_path = w${i}; ${TABLES} ${COPY_TABLES}`,
    );
  }
  await sql.end();
  const admin = postgres(cluster.url(), { max: 1, onnotice() {} });
  await admin.unsafe(`create database ${PROXIED} template ${DIRECT}`);
  await admin.end();
  return cluster;
}

/** Waits for the mirror. @throws {AssertionError} if there is any other outcome than a match that was not there before. */
async function assertNothingNew(
  proxy: TestProxy,
  before: Ledger,
): Promise<void> {
  let calm = 0;
  await waitFor("the mirror", () => {
    // The client has its answer a moment before it is counted.
    calm = proxy.ledger().pending === 0 ? calm + 1 : 0;
    return calm === 3;
  }, 30_000).catch(() => {});
  assert.deepEqual(unwanted(proxy.ledger()), unwanted(before));
}

function unwanted({ excluded, dropped, failed, pending, statements }: Ledger) {
  const mismatches = Object.fromEntries(
    Object.entries(statements).filter(([result]) =>
      result.startsWith("mismatch")
    ),
  );
  return { excluded, dropped, failed, pending, mismatches };
}

/** The counterexample in words, with the seed that brings it back. */
function report(run: fc.RunDetails<[Script]>): void {
  if (!run.failed) return;
  const [script] = run.counterexample ?? [];
  const error = run.errorInstance;
  throw new Error(
    `Script ${run.numRuns} of seed ${run.seed} differs (path ${run.counterexamplePath}):\n${
      script === undefined ? "" : describeScript(script)
    }\n${error instanceof Error ? error.message : String(error)}`,
    { cause: error },
  );
}
