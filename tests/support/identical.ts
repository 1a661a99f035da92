import { loadShop } from "../../src/cli/demo/schema.ts";
import { runWorkload } from "../../src/cli/demo/workload.ts";
import { SHOP_DATABASE, startCluster } from "./cluster.ts";
import { server } from "./pgbench.ts";
import { runProgram } from "./programs.ts";
import { type Ledger, TestProxy } from "./proxy.ts";

/** What a run on two equal servers came to. */
export interface IdenticalRun {
  readonly ledger: Ledger;
  readonly statements: number;
  /** Results that count as mismatches, with one example each. */
  readonly mismatches: readonly string[];
}

const CLIENTS = 16;
const PORTION = 40_000;

/**
 * Runs mixed statements against a proxy with two servers of one version and
 * equal data, until at least `statements` were compared: half from pgbench's
 * TPC-B at scale 1, half from the shop.
 */
export async function runOnIdenticalServers(
  statements: number,
  onProgress: (statements: number) => void = () => {},
): Promise<IdenticalRun> {
  await using primary = await startCluster({ version: "15" });
  await using mirror = await startCluster({ version: "15" });
  for (const cluster of [primary, mirror]) {
    await loadShop((database) => cluster.url(database));
    await runProgram("pgbench", [
      ...server(cluster.port),
      "-i",
      "-q",
      SHOP_DATABASE,
    ]);
  }
  await using proxy = await TestProxy.start({
    primary,
    mirror,
    database: SHOP_DATABASE,
    general: {
      mirror_queue: 1_000_000,
      mirror_queue_bytes: 1 << 30,
      mirror_pacing: "asap",
    },
  });
  const compared = () =>
    Object.values(proxy.ledger().statements).reduce((sum, n) => sum + n, 0);
  let shopRuns = 0;
  for (let run = 0; compared() < statements; run++) {
    const until = compared() + PORTION;
    await runProgram("pgbench", [
      ...server(proxy.port),
      "-n",
      // Seven statements each; a third of a portion for each protocol's sake.
      ...[
        "-c",
        `${CLIENTS}`,
        "-j",
        "2",
        "-t",
        `${Math.ceil(PORTION / 2 / 7 / CLIENTS)}`,
      ],
      ...["-M", ["simple", "extended", "prepared"][run % 3] as string],
      SHOP_DATABASE,
    ]);
    await proxy.settled(120_000);
    while (compared() < until) {
      const result = await runWorkload({
        url: proxy.url(),
        clients: CLIENTS,
        stepsPerClient: 300,
        upgradeBreakage: false,
        run: shopRuns++,
        seed: shopRuns,
      });
      if (result.unexpected.length > 0) throw new Error(result.unexpected[0]);
      await proxy.settled(120_000);
    }
    onProgress(compared());
  }
  const ledger = await proxy.settled(120_000);
  const mismatches = proxy.supervisor.statements().flatMap((summary) =>
    summary.examples.map((example) =>
      `${example.result}: ${summary.text}: ${
        JSON.stringify(example.primary)
      } | ${JSON.stringify(example.mirror)}`
    )
  );
  return { ledger, statements: compared(), mismatches };
}
