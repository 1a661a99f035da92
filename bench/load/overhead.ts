/**
 * What each part of the proxy costs: the same `pgbench -S` through proxies that
 * differ in one thing each, in interleaved rounds. At a fixed rate, half of
 * what the slowest reaches, CPU time by thread and what clients see; then as
 * fast as it goes, the throughput.
 *
 * ```sh
 * deno task bench:overhead --rounds 5 --seconds 4
 * ```
 *
 * @module
 */

import { parseArgs } from "node:util";
import { type Cluster, startCluster } from "../../src/cli/demo/cluster.ts";
import { freePort } from "../../tests/support/proxy.ts";
import { type Latency, latencyAtRate } from "./latency.ts";
import { pgbench } from "./pgbench.ts";
import { table, writeSection } from "./results.ts";
import { HOST, median, residentKib, run, startProxy } from "./support.ts";
import { cpuByRole, type RoleCpu } from "./thread_cpu.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "4" },
    clients: { type: "string", default: "16" },
    write: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const clients = Number(values.clients);
const SCRAPE_EVERY_MS = 100;

/** One proxy: what it has more than the one before it. */
interface Step {
  readonly name: string;
  readonly mirror: Cluster | undefined;
  readonly general: string;
  readonly scraped?: boolean;
}

interface Round {
  readonly latency: Latency;
  readonly cpu: RoleCpu;
  readonly tps: number;
}

const settings = { max_connections: "500" };
await using primary = await startCluster({ version: "15", settings });
await using mirror = await startCluster({ version: "18", settings });
await using hung = await startCluster({ version: "18", settings });
for (const { port } of [primary, mirror, hung]) {
  await run("pgbench", [
    ...["-h", HOST, "-p", `${port}`, "-U", "postgres", "-i", "-q"],
    "postgres",
  ]);
}
const folder = await Deno.makeTempDir();
const httpPort = freePort();
const off = `mirror_compare = "off"`;
const history = `
[plugins.history]
path = "${folder}/history.sqlite"`;
const steps: readonly Step[] = [
  { name: "no mirror", mirror: undefined, general: "" },
  {
    name: "mirroring, metrics off",
    mirror,
    general: `${off}\nmirror_metrics_enabled = false`,
  },
  { name: "metrics on", mirror, general: off },
  { name: "comparing shape", mirror, general: `mirror_compare = "shape"` },
  { name: "comparing rows", mirror, general: "" },
  { name: "history on", mirror, general: history },
  {
    name: "scraped at 10 Hz",
    mirror,
    general: `openmetrics_port = ${httpPort}`,
    scraped: true,
  },
  { name: "a mirror that hangs", mirror: hung, general: "" },
];

await using stack = new AsyncDisposableStack();
const proxies: Awaited<ReturnType<typeof startProxy>>[] = [];
for (const { name, mirror, general } of steps) {
  const proxy = await startProxy(
    name,
    freePort(),
    primary.port,
    mirror?.port,
    general,
  );
  stack.use(proxy);
  proxies.push(proxy);
}
const rest = proxies.map(({ pid }) => residentKib(pid));
await hung.pause();

const highest: number[] = [];
for (const proxy of proxies) {
  highest.push((await pgbench(proxy, { clients, seconds })).tps);
}
const rate = Math.floor(Math.min(...highest) / 2);
console.log(
  `pgbench -S, ${clients} clients, ${rounds} interleaved rounds of ${seconds} s; ` +
    `fixed rate ${rate} per second`,
);

const runs: Round[][] = steps.map(() => []);
for (let round = 0; round < rounds; round++) {
  for (const [i, { scraped }] of steps.entries()) {
    const proxy = proxies[i] as typeof proxies[number]; // one for each step
    const stop = scraped ? scrape() : async () => {};
    const before = cpuByRole(proxy.pid, steps[i]?.mirror !== undefined);
    const latency = await latencyAtRate(proxy.port, { clients, rate, seconds });
    const cpu = cpuByRole(proxy.pid, steps[i]?.mirror !== undefined)
      .since(before).per(latency.transactions);
    const { tps } = await pgbench(proxy, { clients, seconds });
    await stop();
    runs[i]?.push({ latency, cpu, tps });
  }
}
hung.resume();

const rows = steps.map(({ name }, i) => {
  const of = (value: (round: Round) => number) =>
    median(runs[i]?.map(value) ?? []);
  return {
    "with": name,
    "proxy workers, µs": +of(({ cpu }) => cpu.proxy).toFixed(1),
    "to no mirror": ratio(i, 0),
    "to the line above": i === 0 ? "" : ratio(i, i - 1),
    "mirror worker, µs": +of(({ cpu }) => cpu.mirror).toFixed(1),
    "main and V8, µs": +of(({ cpu }) => cpu.main).toFixed(1),
    "p50, ms": +of(({ latency }) => latency.p50).toFixed(2),
    "p99, ms": +of(({ latency }) => latency.p99).toFixed(2),
    "p99.9, ms": +of(({ latency }) => latency.p999).toFixed(2),
    "highest tps": Math.round(of(({ tps }) => tps)),
    "MB at rest": Math.round((rest[i] ?? 0) / 1024),
    "MB after": Math.round(residentKib(proxies[i]?.pid ?? 0) / 1024),
  };
});
console.table(rows);
if (values.write) {
  await writeSection(
    "Overhead, part by part",
    `deno task bench:overhead --rounds ${rounds} --seconds ${seconds} --clients ${clients} --write`,
    `\`pgbench -S\`, ${clients} clients, at ${rate} transactions per second (half of the
slowest line's highest); CPU per transaction, by thread. "highest tps" is as fast
as it goes. Each line has one thing more than the line above, except the last,
which is "comparing rows" with a mirror that was stopped (SIGSTOP).

${table(rows)}`,
  );
}
await Deno.remove(folder, { recursive: true });

/** Round by round: what the machine does meanwhile hits both. */
function ratio(a: number, b: number): string {
  return median((runs[a] ?? []).map(({ cpu }, i) => {
    const other = runs[b]?.[i];
    return other === undefined ? NaN : cpu.proxy / other.cpu.proxy;
  })).toFixed(2);
}

/** Begins to scrape. @returns what ends it. */
function scrape(): () => Promise<void> {
  let last = Promise.resolve();
  const timer = setInterval(() => {
    last = last.then(async () => {
      const response = await fetch(`http://${HOST}:${httpPort}/metrics`);
      await response.text();
    });
  }, SCRAPE_EVERY_MS);
  return () => {
    clearInterval(timer);
    return last;
  };
}
