/**
 * What TLS costs, beside PgBouncer: each of the two legs in clear and on TLS, in
 * interleaved rounds of one run, CPU time of the whole process for a
 * transaction (`pgbench -S`), for a connection (`pgbench -S -C`), and for a
 * large result.
 *
 * ```sh
 * deno run -A bench/load/tls.ts --rounds 3 --seconds 3
 * ```
 *
 * @module
 */

import { parseArgs } from "node:util";
import { type Cluster, startCluster } from "../../src/cli/demo/cluster.ts";
import { Authority } from "../../tests/support/certificates.ts";
import { freePort } from "../../tests/support/proxy.ts";
import { startPgbouncer } from "./peers.ts";
import {
  cpuUs,
  HOST,
  median,
  run,
  startProxy,
  type Target,
} from "./support.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "3" },
    clients: { type: "string", default: "1,16" },
    megabytes: { type: "string", default: "400" },
  },
});
const ROW_BYTES = 1_000;

await using authority = await Authority.create();
const certificate = await authority.issue();
await using clear = await startCluster({ version: "15" });
await using encrypted = await startCluster({ version: "15", ssl: certificate });
for (const { port } of [clear, encrypted]) {
  await run("pgbench", [
    ...["-h", HOST, "-p", `${port}`, "-U", "postgres", "-i", "-q", "postgres"],
  ]);
}

/** One proxy with its legs. */
interface Case {
  readonly proxy: string;
  readonly clients: boolean;
  readonly primary: boolean;
  readonly target: Target;
}

await using targets = new AsyncDisposableStack();
const cases: Case[] = [];
for (const clients of [false, true]) {
  for (const primary of [false, true]) {
    const { port }: Cluster = primary ? encrypted : clear;
    const keys = [
      `tls_verify = "${primary ? "require" : "disabled"}"`,
      ...(clients
        ? [
          `tls_certificate = "${certificate.certificatePath}"`,
          `tls_private_key = "${certificate.keyPath}"`,
        ]
        : []),
    ];
    const ours = await startProxy(
      "this proxy",
      freePort(),
      port,
      undefined,
      keys.join("\n"),
    );
    const theirs = await startPgbouncer(freePort(), port, "session", {
      clients,
      primary,
      ...certificate,
    });
    for (const target of [ours, theirs]) {
      targets.use(target);
      cases.push({ proxy: target.name, clients, primary, target });
    }
  }
}

/** Environment and options of libpq's programs. */
function reach({ clients, target }: Case, program: string): string[] {
  return [
    `PGSSLMODE=${clients ? "require" : "disable"}`,
    ...[program, "-h", HOST, "-p", `${target.port}`, "-U", "postgres"],
  ];
}

/** Microseconds of CPU time for each transaction, or each connection. */
async function perTransaction(
  each: Case,
  clients: number,
  connecting: boolean,
): Promise<number> {
  const before = cpuUs(each.target);
  const output = await run("env", [
    ...reach(each, "pgbench"),
    ...["-S", "-n", "-c", `${clients}`, "-T", `${values.seconds}`],
    ...(connecting ? ["-C"] : []),
    "postgres",
  ]);
  const transactions = Number(output.match(/processed: (\d+)/)?.[1]);
  return (cpuUs(each.target) - before) / transactions;
}

/** Milliseconds of CPU time for one result. */
async function perResult(each: Case): Promise<number> {
  const rows = Number(values.megabytes) * 1e6 / ROW_BYTES;
  const before = cpuUs(each.target);
  const { code } = await new Deno.Command("env", {
    args: [
      ...reach(each, "psql"),
      "-c",
      `copy (select repeat('x', ${ROW_BYTES - 1})
        from generate_series(1, ${rows})) to stdout`,
      "postgres",
    ],
    stdout: "null",
    stderr: "inherit",
  }).output();
  if (code !== 0) throw new Error("psql has failed");
  return (cpuUs(each.target) - before) / 1e3;
}

const measures: Readonly<Record<string, (each: Case) => Promise<number>>> = {
  ...Object.fromEntries(
    values.clients.split(",").map(Number).flatMap((clients) => [
      [
        `select, ${clients} clients, µs`,
        (each: Case) => perTransaction(each, clients, false),
      ],
    ]),
  ),
  "connection, 4 clients, µs": (each) => perTransaction(each, 4, true),
  [`${values.megabytes} MB result, ms`]: perResult,
};
for (const [name, measure] of Object.entries(measures)) {
  const results = cases.map((): number[] => []);
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [i, each] of cases.entries()) {
      results[i]?.push(await measure(each));
    }
  }
  const medians = results.map((all) => median(all));
  console.log(name);
  console.table(cases.map(({ proxy, clients, primary }, i) => {
    const inClear = cases.findIndex((other) =>
      other.proxy === proxy && !other.clients && !other.primary
    );
    return {
      proxy,
      client: clients ? "TLS" : "clear",
      primary: primary ? "TLS" : "clear",
      cpu: Math.round(medians[i] as number),
      "/ clear": Number(
        ((medians[i] as number) / (medians[inClear] as number)).toFixed(2),
      ),
    };
  }));
}
