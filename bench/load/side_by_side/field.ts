import postgres from "postgres";
import { type Cluster, startCluster } from "../../../src/cli/demo/cluster.ts";
import { SHOP_DATA, SHOP_SCHEMA } from "../../../src/cli/demo/schema.ts";
import { freePort } from "../../../tests/support/proxy.ts";
import { startHaproxy, startPgbouncer, startPgdog } from "../peers.ts";
import { pgbench } from "../pgbench.ts";
import { HOST, isMissing, run, startProxy, type Target } from "../support.ts";
import { startSlowRelay } from "./slow_relay.ts";

/** All that can be measured, in the order of the tables. */
export const TARGETS = [
  "direct",
  "pgbouncer, session",
  "pgbouncer, transaction",
  "haproxy",
  "pgdog, transaction",
  "proxy",
  "proxy, mirror",
  "proxy, slow mirror",
  "proxy, dead mirror",
] as const;
export type TargetName = typeof TARGETS[number];

/** A target, and where its ledger is if it is ours. */
export interface Contender extends Target {
  readonly name: TargetName;
  readonly httpPort?: number;
}

export interface FieldOptions {
  readonly targets: ReadonlySet<TargetName>;
  /** The most that there will be at once. */
  readonly clients: number;
  /** pgbench's. */
  readonly scale: number;
  /** Path of PgDog's executable. */
  readonly pgdog: string | undefined;
}

/** A short query's latency in milliseconds. */
export interface Slowness {
  readonly healthyMs: number;
  readonly slowMs: number;
}

/** The servers and what stands in front of them. */
export interface Field extends AsyncDisposable {
  readonly contenders: readonly Contender[];
  /** How much slower the slow mirror is. */
  readonly slowness: Slowness | undefined;
}

/**
 * The healthy mirror's database on both servers: what others write to
 * "postgres" would make it differ.
 */
const MIRRORED = "mirrored";
const SLOWER = 10;
/** Transactions by which the mirror's own latency is measured. */
const PROBES = 300;

/** Programs that the targets need and that are not here: a line for each. */
export async function missingPrograms(
  targets: ReadonlySet<TargetName>,
): Promise<string[]> {
  const programs = ["pgbench"];
  if ([...targets].some((name) => name.startsWith("pgbouncer"))) {
    programs.push("pgbouncer");
  }
  if (targets.has("haproxy")) programs.push("haproxy");
  const lines: string[] = [];
  for (const program of programs) {
    if (!await runs(program)) lines.push(isMissing(program));
  }
  return lines;
}

/** Debian's pgbench is a wrapper that is there without the program itself. */
async function runs(program: string): Promise<boolean> {
  const flag = program === "haproxy" ? "-v" : "--version";
  try {
    const command = new Deno.Command(program, { args: [flag] });
    return (await command.output()).success;
  } catch {
    return false;
  }
}

/** Starts the servers, fills them, and starts the targets. */
export async function startField(options: FieldOptions): Promise<Field> {
  await using stack = new AsyncDisposableStack();
  const settings = {
    // PgBouncer keeps its connections for a while after its clients have gone.
    max_connections: `${2 * options.clients + 200}`,
  };
  const [primary, mirror] = await Promise.all(
    (["15", "18"] as const).map(async (version) => {
      const cluster = stack.use(await startCluster({ version, settings }));
      await fill(cluster, options.scale);
      return cluster;
    }),
  ) as [Cluster, Cluster];

  let slowness: Slowness | undefined;
  const contenders: Contender[] = [];
  for (const name of TARGETS.filter((name) => options.targets.has(name))) {
    switch (name) {
      case "direct":
        contenders.push({
          name,
          port: primary.port,
          pid: undefined,
          [Symbol.asyncDispose]: () => Promise.resolve(),
        });
        break;
      case "pgbouncer, session":
      case "pgbouncer, transaction": {
        const mode = name === "pgbouncer, session" ? "session" : "transaction";
        await peer(name, startPgbouncer(freePort(), primary.port, mode));
        break;
      }
      case "haproxy":
        await peer(name, startHaproxy(freePort(), primary.port));
        break;
      case "pgdog, transaction":
        if (options.pgdog === undefined) break;
        await peer(name, startPgdog(freePort(), primary.port, options.pgdog));
        break;
      case "proxy":
        await proxy(name, undefined);
        break;
      case "proxy, mirror":
        await proxy(name, mirror.port, MIRRORED);
        break;
      case "proxy, slow mirror": {
        const relay = stack.use(await startSlowRelay(mirror.port, SLOWER));
        slowness = {
          healthyMs: await latencyMs(mirror.port),
          slowMs: await latencyMs(relay.port),
        };
        await proxy(name, relay.port);
        break;
      }
      case "proxy, dead mirror":
        // Nobody listens there, now or later.
        await proxy(name, freePort());
        break;
    }
  }
  const started = stack.move();
  return {
    contenders,
    slowness,
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };

  async function peer(name: TargetName, starting: Promise<Target>) {
    contenders.push({ ...stack.use(await starting), name });
  }

  async function proxy(
    name: TargetName,
    mirrorPort: number | undefined,
    database?: string,
  ) {
    const httpPort = freePort();
    const target = stack.use(
      await startProxy(
        name,
        freePort(),
        primary.port,
        mirrorPort,
        `openmetrics_port = ${httpPort}`,
        database,
      ),
    );
    contenders.push({ ...target, name, httpPort });
  }
}

/** pgbench's tables, the shop's, and one for COPY, twice. */
async function fill(cluster: Cluster, scale: number): Promise<void> {
  await run("pgbench", [
    ...["-h", HOST, "-p", `${cluster.port}`, "-U", "postgres"],
    ...["-i", "-q", "-s", `${scale}`, "postgres"],
  ]);
  const sql = postgres(cluster.url(), { max: 1, onnotice() {} });
  try {
    await sql.unsafe(SHOP_SCHEMA);
    await sql.unsafe(SHOP_DATA);
    await sql.unsafe("create unlogged table bulk (line text)");
  } finally {
    await sql.end();
  }
  const other = postgres(cluster.url("template1"), { max: 1, onnotice() {} });
  try {
    await other.unsafe(`create database ${MIRRORED} template postgres`);
  } finally {
    await other.end();
  }
}

/** Of a short query on a connection of its own. */
async function latencyMs(port: number): Promise<number> {
  const target: Target = {
    name: "mirror",
    port,
    pid: undefined,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const { latencyMs } = await pgbench(target, {
    clients: 1,
    seconds: 1,
    transactions: PROBES,
  });
  return latencyMs;
}
