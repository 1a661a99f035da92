import assert from "node:assert/strict";
import Table from "cli-table3";
import { loadModule } from "libpg-query";
import postgres from "postgres";
import { ShapeCache } from "../src/sql/shape_cache.ts";
import { isMismatch, RESULTS } from "../src/stats/mod.ts";
import { type Cluster, startCluster } from "./support/cluster.ts";
import { type CorpusCase, readCorpus } from "./support/corpus.ts";
import { TestProxy } from "./support/proxy.ts";
import { waitFor } from "./support/wait.ts";

const AT_ONCE = 3;
const cases = await readCorpus(new URL("corpus/", import.meta.url));

Deno.test({
  name: "corpus: each case is judged as its file says",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await loadModule();
    await using primary = await startCluster({ version: "15" });
    await using twin = await startCluster({ version: "15" });
    await using next = await startCluster({ version: "18" });
    const mirrors = { "15": twin, "18": next };
    const wrong: string[] = [];
    const counts = new Map<string, number[]>();
    const waiting = [...cases.entries()];
    const play = async () => {
      for (let item = waiting.shift(); item; item = waiting.shift()) {
        const [number, one] = item;
        const mirror = mirrors[one.versions[1]];
        const found = await judged(one, `case_${number}`, primary, mirror);
        const right = found === one.expect;
        const row = counts.get(one.file) ?? [0, 0, 0, 0];
        counts.set(one.file, row);
        const column = (one.expect === "clean" ? 2 : 0) + (right ? 0 : 1);
        (row[column] as number)++; // one of the four
        if (right === (one.today === undefined)) continue;
        wrong.push(
          right
            ? `${one.file}: "${one.name}" is right now: take its "today" away`
            : `${one.file}: "${one.name}" is ${found}, not ${one.expect}`,
        );
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, play));
    console.log(tableOf(counts));
    assert.deepEqual(wrong, []);
  },
});

/** Plays a case in a schema of its own. @returns what was said of its last statement, or of another one, then with its text. */
async function judged(
  one: CorpusCase,
  name: string,
  primary: Cluster,
  mirror: Cluster,
): Promise<string> {
  const schema = one.schema ?? name;
  for (
    const [cluster, own] of [[primary, one.primary], [
      mirror,
      one.mirror,
    ]] as const
  ) {
    await run(
      cluster,
      `create schema ${schema}; set search_path to ${schema}, public;
       ${one.setup ?? ""};${own ?? ""}`,
    );
  }
  await using proxy = await TestProxy.start({
    primary,
    mirror,
    general: { workers: 1 },
  });
  const sql = postgres(proxy.url(), {
    max: 1,
    fetch_types: false,
    onnotice() {},
  });
  const { protocol = "simple" } = one;
  // The types of postgres.js do not know `simple`, which it reads.
  const how = {
    simple: protocol === "simple",
    prepare: protocol === "prepared",
  };
  const send = (text: string) => sql.unsafe(text, [], how).catch(() => {});
  await send(`set search_path to ${schema}, public`);
  for (const statement of one.statements) await send(statement);
  await sql.end();
  const { statements } = await proxy.settled();
  const judgedCount = Object.values(statements).reduce((a, b) => a + b, 0);
  const rows = () => proxy.supervisor.statements();
  await waitFor(
    `${name} to be reported`,
    () => rows().reduce((sum, { calls }) => sum + calls, 0) === judgedCount,
    10_000,
  );
  const last = fingerprintOf(one.statements.at(-1) ?? "");
  const found = rows().flatMap(({ fingerprint, text, results }) =>
    RESULTS.flatMap((result, i) =>
      isMismatch(i) && (results[i] ?? 0) > 0
        ? [
          result.replace("mismatch_", "") +
          (fingerprint === last ? "" : ` of ${text}`),
        ]
        : []
    )
  );
  return found.length === 0 ? "clean" : found.join(", ");
}

function fingerprintOf(text: string): string | undefined {
  const bytes = new TextEncoder().encode(text);
  const { shapes } = new ShapeCache(10).get(bytes, 0, bytes.length);
  return shapes.at(-1)?.fingerprint;
}

async function run(cluster: Cluster, sql: string): Promise<void> {
  const connection = postgres(cluster.url(), { max: 1, onnotice() {} });
  try {
    await connection.unsafe(sql).simple();
  } finally {
    await connection.end();
  }
}

function tableOf(counts: ReadonlyMap<string, readonly number[]>): string {
  const table = new Table({
    head: ["file", "found", "missed", "clean", "false alarms"],
    style: { head: [], border: [] },
  });
  const sums = [0, 0, 0, 0];
  for (const [file, row] of [...counts].toSorted()) {
    table.push([file, ...row]);
    row.forEach((n, i) => sums[i] = (sums[i] ?? 0) + n);
  }
  table.push(["all", ...sums]);
  return table.toString();
}
