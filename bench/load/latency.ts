/**
 * Latencies of single transactions at a fixed rate, as pgbench logs them.
 *
 * @module
 */

import { HOST, run } from "./support.ts";

/** What clients of one run saw; times in milliseconds. */
export interface Latency {
  readonly tps: number;
  readonly transactions: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/**
 * Runs `pgbench -S -R`: latency is counted from the moment at which a
 * transaction was due, so that a stall shows in all that it held up.
 *
 * @param rate transactions per second, of all clients.
 */
export async function latencyAtRate(
  port: number,
  { clients, rate, seconds }: {
    readonly clients: number;
    readonly rate: number;
    readonly seconds: number;
  },
): Promise<Latency> {
  const folder = await Deno.makeTempDir();
  try {
    await run("pgbench", [
      ...["-h", HOST, "-p", `${port}`, "-U", "postgres", "-S", "-n"],
      ...["-c", `${clients}`, "-T", `${seconds}`, "-R", `${rate}`, "-l"],
      `--log-prefix=${folder}/log`,
      "postgres",
    ]);
    const times = await readTimes(folder);
    return {
      tps: times.length / seconds,
      transactions: times.length,
      p50: quantile(times, 0.5),
      p99: quantile(times, 0.99),
      p999: quantile(times, 0.999),
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/**
 * What `pgbench -l` has written to a folder, in milliseconds: from the moment at
 * which a transaction was due.
 */
export async function readTimes(folder: string): Promise<number[]> {
  const times: number[] = [];
  for (const { name } of Deno.readDirSync(folder)) {
    const text = await Deno.readTextFile(`${folder}/${name}`);
    for (const line of text.split("\n")) {
      // client, transaction, latency in microseconds, ...
      if (line !== "") times.push(Number(line.split(" ")[2]) / 1e3);
    }
  }
  return times;
}

/** The value below which a share of them lies; NaN if there are none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * share)] ?? NaN;
}
