/**
 * What TLS costs: `pgbench -S` through this proxy with the client's leg in
 * clear and on TLS, in interleaved rounds of one run, the process's CPU time per
 * transaction; then connections per second, one after the other (`pgbench -C`).
 *
 * ```sh
 * deno run -A bench/load/tls.ts --rounds 3 --seconds 3
 * ```
 *
 * @module
 */

import { parseArgs } from "node:util";
import { startCluster } from "../../src/cli/demo/cluster.ts";
import { Authority } from "../../tests/support/certificates.ts";
import { freePort } from "../../tests/support/proxy.ts";
import { cpuUs, HOST, median, run, startProxy } from "./support.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "3" },
    clients: { type: "string", default: "1,16" },
  },
});

await using authority = await Authority.create();
const certificate = await authority.issue();
await using primary = await startCluster({ version: "15" });
await run("pgbench", [
  ...["-h", HOST, "-p", `${primary.port}`, "-U", "postgres", "-i", "-q"],
  "postgres",
]);
await using clear = await startProxy(
  "no TLS configured",
  freePort(),
  primary.port,
  undefined,
);
await using tls = await startProxy(
  "tls",
  freePort(),
  primary.port,
  undefined,
  `tls_certificate = "${certificate.certificatePath}"
tls_private_key = "${certificate.keyPath}"`,
);

const cases = [
  { name: "no TLS configured", target: clear, sslmode: "disable" },
  { name: "TLS configured, client in clear", target: tls, sslmode: "disable" },
  { name: "client on TLS", target: tls, sslmode: "require" },
];

/** One run of pgbench: what it did each second, and CPU time of the proxy for each. */
async function measure(
  { target, sslmode }: typeof cases[number],
  clients: number,
  connecting: boolean,
) {
  const before = cpuUs(target);
  const output = await run("env", [
    `PGSSLMODE=${sslmode}`,
    ...["pgbench", "-h", HOST, "-p", `${target.port}`, "-U", "postgres"],
    ...["-S", "-n", "-c", `${clients}`, "-T", `${values.seconds}`],
    ...(connecting ? ["-C"] : []),
    "postgres",
  ]);
  const transactions = Number(output.match(/processed: (\d+)/)?.[1]);
  return {
    perSecond: transactions / Number(values.seconds),
    cpuUs: (cpuUs(target) - before) / transactions,
  };
}

for (const connecting of [false, true]) {
  for (const clients of values.clients.split(",").map(Number)) {
    const results = cases.map(() =>
      [] as { perSecond: number; cpuUs: number }[]
    );
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const [i, each] of cases.entries()) {
        results[i]?.push(await measure(each, clients, connecting));
      }
    }
    console.table(cases.map(({ name }, i) => ({
      what: connecting ? "connect and select" : "select",
      clients,
      name,
      "per second": Math.round(
        median((results[i] ?? []).map(({ perSecond }) => perSecond)),
      ),
      "cpu us": Math.round(
        median((results[i] ?? []).map(({ cpuUs }) => cpuUs)),
      ),
    })));
  }
}
