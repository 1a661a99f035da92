/**
 * What the relay costs: `pgbench -S` direct, through PgBouncer in session mode,
 * and through this proxy without and with a mirror, in interleaved rounds of
 * one run: as fast as it goes, then at a fixed rate, where CPU per transaction
 * is that of the same work; at the end memory at rest and per idle client.
 *
 * ```sh
 * deno run -A bench/load/relay.ts --rounds 5 --seconds 3 --rate 4000
 * ```
 *
 * @module
 */

import { parseArgs } from "node:util";
import { startCluster } from "../../src/cli/demo/cluster.ts";
import { freePort } from "../../tests/support/proxy.ts";
import { WireClient } from "../../tests/support/wire_client.ts";
import { startPgbouncer } from "./peers.ts";
import { pgbench, type Run } from "./pgbench.ts";
import {
  HOST,
  median,
  residentKib,
  run,
  startProxy,
  type Target,
} from "./support.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    clients: { type: "string", default: "1,16,64" },
    idle: { type: "string", default: "1000" },
    rate: { type: "string", default: "4000" },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const idle = Number(values.idle);
/** Transactions per second of the second part; 0: leave it out. */
const rate = Number(values.rate);

const settings = { max_connections: "1300" };
await using primary = await startCluster({ version: "15", settings });
await using mirror = await startCluster({ version: "18", settings });
for (const { port } of [primary, mirror]) {
  await run("pgbench", [
    ...["-h", HOST, "-p", `${port}`, "-U", "postgres", "-i", "-q"],
    "postgres",
  ]);
}
const direct: Target = {
  name: "direct",
  port: primary.port,
  pid: undefined,
  [Symbol.asyncDispose]: () => Promise.resolve(),
};
await using bouncer = await startPgbouncer(freePort(), primary.port);
await using plain = await startProxy(
  "proxy, no mirror",
  freePort(),
  primary.port,
  undefined,
);
await using perCore = await startProxy(
  "proxy, a worker for each core",
  freePort(),
  primary.port,
  undefined,
  `workers = ${navigator.hardwareConcurrency}`,
);
await using mirroring = await startProxy(
  "proxy, mirror",
  freePort(),
  primary.port,
  mirror.port,
);
const rest = residentKib(mirroring.pid);

const targets = [direct, bouncer, plain, perCore, mirroring];
console.log(
  `pgbench -S, simple protocol, ${rounds} interleaved rounds of ${seconds} s, medians; ` +
    "CPU is the process's per transaction, with a mirror the proxy workers' only",
);
const counts = values.clients.split(",").map(Number);
console.log("As fast as it goes:");
for (const clients of counts) await compare(clients, 0);
if (rate > 0) {
  console.log(`At ${rate} transactions per second:`);
  for (const clients of counts) await compare(clients, rate);
}

/** @param rate transactions per second; 0: as many as go. */
async function compare(clients: number, rate: number): Promise<void> {
  const runs = new Map<Target, Run[]>(targets.map((target) => [target, []]));
  for (let round = 0; round < rounds; round++) {
    for (const target of targets) {
      runs.get(target)?.push(
        await pgbench(target, { clients, seconds, rate }),
      );
    }
  }
  // Round by round: what the machine does meanwhile hits both.
  const ratio = (a: Target, b: Target, of: (run: Run) => number) =>
    median((runs.get(a) ?? []).map((run, i) => {
      const other = runs.get(b)?.[i];
      return other === undefined ? NaN : of(run) / of(other);
    })).toFixed(2);
  const middle = (target: Target, of: (run: Run) => number) =>
    median((runs.get(target) ?? []).map(of));
  console.table(targets.map((target) => ({
    clients,
    target: target.name,
    tps: Math.round(middle(target, ({ tps }) => tps)),
    "tps / pgbouncer": ratio(target, bouncer, ({ tps }) => tps),
    "cpu us": Number(middle(target, ({ cpuUs }) => cpuUs).toFixed(1)),
    "cpu / pgbouncer": ratio(target, bouncer, ({ cpuUs }) => cpuUs),
    "cpu / no mirror": ratio(target, plain, ({ cpuUs }) => cpuUs),
  })));
}

const before = residentKib(mirroring.pid);
const clients: WireClient[] = [];
for (let i = 0; i < idle; i++) {
  clients.push(await WireClient.connect(mirroring.port));
}
const after = residentKib(mirroring.pid);
console.table([{
  "resident at rest, MB": (rest / 1024).toFixed(0),
  "after the load, MB": (before / 1024).toFixed(0),
  "idle clients": idle,
  "KiB per idle client": ((after - before) / idle).toFixed(1),
}]);
for (const client of clients) client[Symbol.dispose]();
