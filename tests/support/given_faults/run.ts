import { isMismatch } from "../../../src/stats/mod.ts";
import { type Cluster, startCluster } from "../cluster.ts";
import { sum } from "../ledgers.ts";
import { onServer } from "../on_server.ts";
import { type Ledger, type ProxyOptions, TestProxy } from "../proxy.ts";
import { seenResults } from "../seen_results.ts";
import { connectNodePg } from "../twin_shop/node_pg.ts";
import { waitFor } from "../wait.ts";
import { Clients, family } from "./clients.ts";
import { behindRows, equalRows, wrongRows } from "./rows.ts";
import { SCHEMA } from "./schema.ts";

/** Settings of mirror_values that give something. */
export const VALUES = ["answers", "log"] as const;

export interface FaultOptions {
  readonly values: typeof VALUES[number];
  /** More keys of `[general]`. */
  readonly general?: NonNullable<ProxyOptions["general"]>;
  /** Done to the mirror before anything else. */
  readonly defect?: string;
  /** Seconds that the primary sleeps in each transaction; the mirror does not. */
  readonly slow?: number;
  /** The mirror is down when the first client comes; it is known by then, or nothing is. */
  readonly isDown?: true | "before the proxy";
  /** What happens while clients work. */
  fault(run: FaultRun): Promise<void>;
}

/** Servers and clients at work. */
export interface FaultRun {
  readonly primary: Cluster;
  readonly mirror: Cluster;
  readonly proxy: TestProxy;
  /** Waits until the clients have taken so many more steps. */
  steps(count: number): Promise<void>;
  /** Waits until nothing is left to replay. */
  idle(): Promise<void>;
  /** Waits until so many transactions were left out for a reason. */
  leftOut(
    how: "excluded" | "dropped" | "failed",
    reason: string,
    count?: number,
  ): Promise<void>;
  /** Waits for words in the proxy's log. */
  said(what: string): Promise<void>;
  /** Waits until the mirror gets transactions again. */
  replaysAgain(): Promise<void>;
}

/** What is not as it should be. */
export interface FaultResult {
  /** Rows of the mirror that the primary does not have, or has otherwise. */
  readonly wrong: readonly string[];
  /** Sequences of the mirror that would give what a row has. */
  readonly behind: readonly string[];
  /** Columns that the mirror makes by itself. */
  readonly own: readonly string[];
  /** Differences that no missing row explains, and errors of clients. */
  readonly unexpected: readonly string[];
  /** Transactions without an outcome. */
  readonly open: number;
  /** A transaction of a new client, when all is over. */
  readonly fresh: "equal" | "not given" | "differs";
}

const DEADLINE_MS = 60_000;
const AGAIN = 20;
/** A client that is none of those that were there during the fault. */
const FRESH = 1_000;
const FRESH_ROWS = 6;

/** Clients work while something goes wrong; then both servers are compared. */
export async function runFault(options: FaultOptions): Promise<FaultResult> {
  const { values, general, fault, slow = 0, isDown, defect } = options;
  const isUntold = values === "log";
  await using primary = await startCluster({
    version: "15",
    initSql: SCHEMA,
    settings: isUntold ? { wal_level: "logical" } : {},
  });
  await using mirror = await startCluster({
    version: "15",
    initSql: SCHEMA,
    settings: { log_line_prefix: "'%e '" },
  });
  await onServer(primary, (sql) => sql`update pace set seconds = ${slow}`);
  if (defect) await onServer(mirror, (sql) => sql.unsafe(defect));
  if (isDown === "before the proxy") await mirror.stop();
  await using proxy = await TestProxy.start({
    primary,
    mirror,
    ...(isUntold ? { primaryKeys: 'user = "postgres"' } : {}),
    general: { mirror_values: values, mirror_pacing: "asap", ...general },
  });
  if (isDown !== "before the proxy") {
    await said(proxy, "Mirror's schema is known");
  }
  if (isDown === true) await mirror.stop();
  if (isUntold) await said(proxy, "The primary's log is read");
  const clients = new Clients({ url: proxy.url(), isUntold });
  try {
    if (!isDown) await proxy.replayed(AGAIN);
    await fault({
      primary,
      mirror,
      proxy,
      steps: (count) => clients.steps(count),
      idle: () =>
        waitFor(
          "an idle proxy",
          () => proxy.ledger().pending === 0,
          DEADLINE_MS,
        ),
      leftOut: (how, reason, count = 1) =>
        waitFor(
          `${count} ${how} by ${reason} in ${JSON.stringify(proxy.ledger())}`,
          () => (proxy.ledger()[how][reason] ?? 0) >= count,
          DEADLINE_MS,
        ),
      said: (what) => said(proxy, what),
      replaysAgain: () =>
        proxy.replayed(proxy.ledger().replayed + AGAIN, DEADLINE_MS),
    });
    await clients.steps(AGAIN);
  } finally {
    mirror.resume();
    primary.resume();
    await clients.end();
  }
  const ledger = await proxy.settled(DEADLINE_MS);
  const differences = await seenResults(proxy, isMismatch, DEADLINE_MS);
  const refused = await errorsOf(mirror);
  // Exposure would leave it out, perhaps.
  await proxy.admin("SET mirror_exposure TO 1");
  const fresh = await freshTransaction(proxy, isUntold, primary, mirror);
  return {
    wrong: await wrongRows(primary, mirror),
    behind: await behindRows(mirror),
    own: proxy.logs.filter((line) =>
      line.includes("makes a column's values by itself")
    ),
    unexpected: [
      ...clients.unexpected,
      ...refused,
      ...differences.filter((one) => !isOfMissingRow(one))
        .map((one) => JSON.stringify(one)),
    ],
    open: openOf(ledger),
    fresh,
  };
}

/** The mirror lacks a row: what refers to it is refused there, and a reader finds nothing. */
function isOfMissingRow(
  { result, text }: Awaited<ReturnType<typeof seenResults>>[number],
): boolean {
  return result ===
    (text.startsWith("select") ? "mismatch_rows" : "mismatch_error_on_mirror");
}

/**
 * What else a server has refused: neither for want of a row, nor as a
 * duplicate that the primary has refused, too, nor behind either.
 */
async function errorsOf(server: Cluster): Promise<readonly string[]> {
  const log = await Deno.readTextFile(server.logFile);
  const lines = log.split("\n").filter((line) => / ERROR: /.test(line));
  return [...new Set(lines.filter((line) => !EXPECTED.test(line)))];
}

/** By SQLSTATE. The last one is the proxy's, which makes a block fail. */
const EXPECTED =
  /^(?:23503|25P02|23505 .*"parents_who_n_key"|34000 .*failed on the primary)/;

function openOf({ seen, replayed, excluded, dropped, failed }: Ledger): number {
  return seen - replayed - sum(excluded) - sum(dropped) - sum(failed);
}

async function freshTransaction(
  proxy: TestProxy,
  isUntold: boolean,
  primary: Cluster,
  mirror: Cluster,
): Promise<FaultResult["fresh"]> {
  const given = () =>
    proxy.supervisor.snapshot().get("mirror_given_rows_total")?.series
      .reduce((all, { value }) => all + value, 0) ?? 0;
  const before = given();
  const connection = await connectNodePg(proxy.url(), "extended");
  let n = 0;
  const client = { who: FRESH, next: () => n++, isUntold };
  await connection.transaction((open) => family(client, open));
  await connection.end();
  await proxy.settled(DEADLINE_MS);
  if (!await equalRows(primary, mirror, FRESH)) return "differs";
  const rows = FRESH_ROWS + (isUntold ? 1 : 0);
  return given() - before === rows ? "equal" : "not given";
}

async function said(proxy: TestProxy, what: string): Promise<void> {
  await waitFor(
    `"${what}"`,
    () => proxy.logs.some((line) => line.includes(what)),
    DEADLINE_MS,
  );
}
