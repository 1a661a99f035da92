/**
 * Random legal scripts of protocol messages, directly against PostgreSQL and
 * through the proxy with an equal mirror: equal replies, no mismatch.
 *
 * ```sh
 * deno run -A bench/load/fuzz.ts --scripts 100000
 * deno run -A bench/load/fuzz.ts --scripts 200 --seed 7 --each
 * ```
 *
 * With `--mutations` instead: recorded sessions with random changes through tap,
 * ring and replay, where nothing may throw, hang or stay behind.
 *
 * ```sh
 * deno run -A bench/load/fuzz.ts --mutations 1000000
 * ```
 *
 * With `--copies`: sessions full of COPYs through a tap, which a real server
 * answers; what was cut is replayed on its model, and on one that differs.
 *
 * ```sh
 * deno run -A bench/load/fuzz.ts --copies 20000
 * ```
 *
 * `--each` waits for the mirror after each script and names the one that differs.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { loadModule } from "libpg-query";
import { ShapeCache } from "../../src/sql/shape_cache.ts";
import { startCluster } from "../../tests/support/cluster.ts";
import { runCopies } from "../../tests/support/model/copy_run.ts";
import { COPY_TABLES } from "../../tests/support/model/copy_server.ts";
import {
  assertEqualServers,
  DIRECT,
  runModel,
  startModelServer,
} from "../../tests/support/model/model_run.ts";
import { record } from "../../tests/support/mutation.ts";
import { runMutations } from "../../tests/support/mutation_run.ts";

const { values } = parseArgs({
  options: {
    scripts: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    players: { type: "string", default: "2" },
    mutations: { type: "string", default: "0" },
    copies: { type: "string", default: "0" },
    each: { type: "boolean", default: false },
  },
});
const seed = Number(values.seed);
const begin = performance.now();
const seconds = () => Math.round((performance.now() - begin) / 1_000);
if (Number(values.mutations) > 0) await fuzzBytes(Number(values.mutations));
else if (Number(values.copies) > 0) await fuzzCopies(Number(values.copies));
else await fuzzScripts(Number(values.scripts));

async function fuzzScripts(scripts: number): Promise<void> {
  const run = await runModel({
    scripts,
    seed,
    players: Number(values.players),
    eachScript: values.each,
    onProgress: (done) => {
      if (done % 1_000 === 0) console.error(`${done} scripts`);
    },
  });
  console.log(JSON.stringify({ ...run, seconds: seconds() }, null, 2));
  assertEqualServers(run);
}

async function fuzzCopies(sessions: number): Promise<void> {
  await loadModule();
  await using cluster = await startCluster({
    version: "15",
    initSql: COPY_TABLES,
  });
  const done = await runCopies(cluster.port, new ShapeCache(1_000), {
    sessions,
    seed,
    onProgress: (count) => {
      if (count % 1_000 === 0) console.error(`${count} sessions`);
    },
  });
  console.log(JSON.stringify({ sessions: done, seconds: seconds() }));
}

async function fuzzBytes(mutations: number): Promise<void> {
  await loadModule();
  await using cluster = await startModelServer(1);
  const recordings = await record(cluster.port, {
    user: "postgres",
    database: DIRECT,
    options: "-c search_path=w0",
  }, { sessions: 200, seed });
  const done = runMutations(recordings, new ShapeCache(10_000), {
    seed: seed * 1_000_000,
    mutations,
    onProgress: (count) => {
      if (count % 100_000 === 0) {
        const mib = Math.round(Deno.memoryUsage().rss / 1024 / 1024);
        console.error(`${count} mutations, ${mib} MiB resident`);
      }
    },
  });
  console.log(JSON.stringify({ mutations: done, seconds: seconds() }));
}
