/**
 * What a scrape of `/metrics` takes with 1,000 clients and 1,000 fingerprints,
 * and what clients notice of scrapes at 10 Hz: `pgbench -S` with and without,
 * in interleaved rounds.
 *
 * ```sh
 * deno run -A bench/load/scrape.ts --rounds 5 --seconds 5
 * ```
 *
 * @module
 */

import { parseArgs } from "node:util";
import postgres from "postgres";
import { startCluster } from "../../src/cli/demo/cluster.ts";
import { freePort } from "../../tests/support/proxy.ts";
import { waitFor } from "../../tests/support/wait.ts";
import { query, WireClient } from "../../tests/support/wire_client.ts";
import { type Latency, latencyAtRate, quantile } from "./latency.ts";
import { cpuUs, HOST, median, run, startProxy } from "./support.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "5" },
    clients: { type: "string", default: "1000" },
    /** More than the registry has label sets for. */
    users: { type: "string", default: "300" },
    top: { type: "string", default: "20" },
    scrapes: { type: "string", default: "300" },
  },
});
const clients = Number(values.clients);
const users = Number(values.users);
const SCRAPE_EVERY_MS = 100;
const FORMATS = {
  text: "text/plain",
  OpenMetrics: "application/openmetrics-text",
};

const settings = { max_connections: `${clients + 100}` };
await using primary = await startCluster({ version: "15", settings });
await using mirror = await startCluster({ version: "18", settings });
for (const { port } of [primary, mirror]) {
  await run("pgbench", [
    ...["-h", HOST, "-p", `${port}`, "-U", "postgres", "-i", "-q"],
    "postgres",
  ]);
}
const roles = postgres(primary.url(), { max: 1 });
for (let user = 0; user < users; user++) {
  await roles.unsafe(`create role u${user} login`);
}
await roles.end();

const httpPort = freePort();
await using proxy = await startProxy(
  "proxy",
  freePort(),
  primary.port,
  mirror.port,
  `openmetrics_port = ${httpPort}
[plugins.prometheus]
top_statements = ${values.top}
[admin]
password = "bench"`,
);
/** All threads: what the process takes for a scrape that it would not take without. */
const process = {
  name: proxy.name,
  port: proxy.port,
  pid: proxy.pid,
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

/** One scrape. */
async function scrape(accept: string): Promise<{ ms: number; text: string }> {
  const start = performance.now();
  const response = await fetch(`http://${HOST}:${httpPort}/metrics`, {
    headers: { accept },
  });
  const text = await response.text();
  return { ms: performance.now() - start, text };
}

// One transaction each, of a shape of its own.
const open: WireClient[] = [];
for (let i = 0; i < clients; i++) {
  const client = await WireClient.connect(proxy.port, {
    user: `u${i % users}`,
  });
  await client.send(query(`select c${i} from (values (1)) v (c${i})`));
  await client.ready(1);
  open.push(client);
}
const admin = postgres(
  `postgres://admin:bench@${HOST}:${proxy.port}/admin`,
  { max: 1, fetch_types: false },
);
const fingerprints = async () =>
  (await admin.unsafe("SHOW MIRROR STATEMENTS")).length;
await waitFor(
  "the fingerprints to be reported",
  async () => await fingerprints() >= clients,
  60_000,
);

const rest = [];
for (const [format, accept] of Object.entries(FORMATS)) {
  const times: number[] = [];
  let last = "";
  const before = cpuUs(process);
  for (let i = 0; i < Number(values.scrapes); i++) {
    const { ms, text } = await scrape(accept);
    times.push(ms);
    last = text;
  }
  rest.push({
    scrape: `${format}, no load`,
    ...percentiles(times),
    "CPU, ms": ((cpuUs(process) - before) / 1e3 / times.length).toFixed(1),
    lines: last.split("\n").length,
    MB: (last.length / 1e6).toFixed(2),
  });
}
console.log(
  `${clients} clients of ${users} users, ${await fingerprints()} fingerprints, ` +
    `top_statements = ${values.top}`,
);
console.table(rest);

const loaded: number[] = [];
const rounds = { without: [] as Latency[], "10 Hz": [] as Latency[] };
for (let round = 0; round < Number(values.rounds); round++) {
  rounds.without.push(await load());
  let scrapes = Promise.resolve();
  const timer = setInterval(() => {
    scrapes = scrapes.then(async () => {
      loaded.push((await scrape(FORMATS.OpenMetrics)).ms);
    });
  }, SCRAPE_EVERY_MS);
  rounds["10 Hz"].push(await load());
  clearInterval(timer);
  await scrapes;
}
console.table([
  { scrape: "OpenMetrics, under load", ...percentiles(loaded) },
]);
console.table(
  Object.entries(rounds).map(([scraping, all]) => ({
    scraping,
    "client p50, ms": median(all.map(({ p50 }) => p50)).toFixed(3),
    "client p99, ms": median(all.map(({ p99 }) => p99)).toFixed(3),
    tps: Math.round(median(all.map(({ tps }) => tps))),
  })),
);
await admin.end();
for (const client of open) client[Symbol.dispose]();

/** A quarter of what the machine can do: beyond that latency is queueing. */
function load(): Promise<Latency> {
  const seconds = Number(values.seconds);
  return latencyAtRate(proxy.port, { clients: 8, rate: 1000, seconds });
}

function percentiles(times: readonly number[]) {
  return {
    "p50, ms": quantile(times, 0.5).toFixed(1),
    "p99, ms": quantile(times, 0.99).toFixed(1),
    "max, ms": Math.max(...times).toFixed(1),
    scrapes: times.length,
  };
}
