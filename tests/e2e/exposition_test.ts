import assert from "node:assert/strict";
import postgres from "postgres";
import {
  assertPromtoolIsSilent,
  parseOpenMetrics,
  Prometheus,
} from "../support/exposition.ts";
import { startCluster } from "../support/cluster.ts";
import { hasProgram, hasPythonModule } from "../support/programs.ts";
import { freePort, TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";

/** The metrics of `/metrics`, and what an operator's page is built on. */
const CONTRACT: readonly [name: string, type: string, unit: string][] = [
  ["pgdog_mirror_requests", "counter", ""],
  ["pgdog_mirror_requests_mirrored", "counter", ""],
  ["pgdog_mirror_requests_dropped", "counter", ""],
  ["pgdog_mirror_requests_excluded", "counter", ""],
  ["pgdog_mirror_requests_failed", "counter", ""],
  ["pgdog_mirror_pending_requests", "gauge", ""],
  ["pgdog_mirror_errors", "counter", ""],
  ["pgdog_mirror_statements", "counter", ""],
  ["pgdog_statement_duration_seconds", "histogram", "seconds"],
  ["pgdog_mirror_replay_lag_seconds", "histogram", "seconds"],
  ["pgdog_mirror_lag_seconds", "gauge", "seconds"],
  ["pgdog_mirror_queue_length", "gauge", ""],
  ["pgdog_mirror_queue_bytes", "gauge", "bytes"],
  ["pgdog_mirror_consecutive_errors", "gauge", ""],
  ["pgdog_mirror_last_success_timestamp_seconds", "gauge", "seconds"],
  ["pgdog_mirror_readiness_state", "stateset", ""],
  ["pgdog_mirror_readiness_gate", "gauge", ""],
  ["pgdog_mirror_readiness_score", "gauge", ""],
  ["pgdog_clients", "gauge", ""],
  ["pgdog_build", "info", ""],
  ["process_cpu_seconds", "counter", "seconds"],
  ["process_resident_memory_bytes", "gauge", "bytes"],
];
const TOP = "pgdog_mirror_top_statement";
const TOP_CONTRACT: typeof CONTRACT = [
  [`${TOP}_calls`, "counter", ""],
  [`${TOP}_results`, "counter", ""],
  [`${TOP}_duration_seconds`, "histogram", "seconds"],
];
/** PostgreSQL takes it as a role's name. */
const HOSTILE = 'a"} 1\nevil_total{x="\\n\r';
const TOP_STATEMENTS = 3;
const SHAPES = 10;

const here = hasProgram("promtool") && hasProgram("prometheus") &&
  await hasPythonModule("prometheus_client");

Deno.test({
  name:
    "exposition: promtool, the reference parser and a scraping Prometheus take it, fresh and busy",
  ignore: !here,
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "18" });
    const httpPort = freePort();
    const target = `127.0.0.1:${httpPort}`;
    await using proxy = await TestProxy.start({
      primary,
      mirror,
      general: { openmetrics_port: httpPort },
      more: `[plugins.prometheus]\ntop_statements = ${TOP_STATEMENTS}`,
    });
    const get = async (accept: string) => {
      const headers = { accept };
      const response = await fetch(`http://${target}/metrics`, { headers });
      assert.equal(
        response.headers.get("content-type")?.split(";")[0],
        accept,
      );
      return await response.text();
    };
    const text = () => get("text/plain");
    const openMetrics = () => get("application/openmetrics-text");
    const assertContract = async (contract: typeof CONTRACT) => {
      const families = await parseOpenMetrics(await openMetrics());
      for (const [name, type, unit] of contract) {
        const family = families.get(name);
        assert.deepEqual([family?.type, family?.unit], [type, unit], name);
      }
      return families;
    };

    await t.step("of a proxy that has done nothing", async () => {
      await assertPromtoolIsSilent(await text());
      await assertContract(CONTRACT);
    });

    await work(primary.url(), proxy);
    const ledger = await proxy.settled();
    const isReported = () =>
      proxy.supervisor.statements()
        .reduce((sum, { calls }) => sum + calls, 0) >= ledger.seen;
    await waitFor("the statements to be reported", isReported, 10_000);
    const verdict = () =>
      proxy.supervisor.snapshot().get("mirror_readiness_state")?.series
        .find(({ value }) => value === 1)?.labels.state;
    await waitFor("a verdict", () => verdict() === "NOT READY", 10_000);

    await t.step("of a busy one, the hostile user as a label", async () => {
      await assertPromtoolIsSilent(await text());
      const families = await assertContract([...CONTRACT, ...TOP_CONTRACT]);
      const samples = families.get("pgdog_mirror_requests")?.samples ?? [];
      assert.deepEqual(
        samples.map(([, { user }]) => user).toSorted(),
        [HOSTILE, "postgres"],
      );
      assert.equal(
        samples.reduce((sum, [, , value]) => sum + value, 0),
        ledger.seen,
      );
      const states = families.get("pgdog_mirror_readiness_state")?.samples ??
        [];
      assert.deepEqual(
        states.filter(([, , value]) => value === 1).map(([, labels]) => labels),
        [{
          pgdog_mirror_readiness_state: "NOT READY",
          state: "NOT READY",
        }],
      );
    });

    await t.step(
      "the top statements and no more, without their text",
      async () => {
        const families = await parseOpenMetrics(await openMetrics());
        const calls = families.get(`${TOP}_calls`)?.samples ?? [];
        assert.equal(calls.length, TOP_STATEMENTS + 1);
        assert.equal(calls.at(0)?.[1].fingerprint, "other");
        const shown = proxy.supervisor.statements();
        const worst = shown.find(({ text }) => text.includes("bgwriter"));
        assert.equal(calls[1]?.[1].fingerprint, worst?.fingerprint);
        // What "other" has depends on who was among the top when; no more than all.
        const [other, ...top] = calls;
        for (const [, { fingerprint }, value] of top) {
          const statement = shown.find((one) =>
            one.fingerprint === fingerprint
          );
          assert.equal(value, statement?.calls, `${fingerprint}`);
        }
        const all = shown.reduce((sum, { calls }) => sum + calls, 0);
        assert.ok((other?.[2] ?? 0) > 0 && (other?.[2] ?? 0) < all);
        assert.doesNotMatch(await openMetrics(), /bgwriter/);
      },
    );

    await t.step("both formats have the same series", async () => {
      const series = (text: string) =>
        text.split("\n").filter((line) => /^pgdog_/.test(line)).map((line) =>
          line.replace(/ \S+$/, "")
            .replace(/pgdog_mirror_readiness_state="[^"]*",/, "")
        );
      assert.deepEqual(series(await openMetrics()), series(await text()));
    });

    await t.step("Prometheus stores what the registry has", async () => {
      await using prometheus = await Prometheus.start(freePort(), target);
      const seen = async () =>
        await prometheus.query(
          `pgdog_mirror_requests_total{job="pgdog_mirror"}`,
        );
      await waitFor(
        "a scrape",
        async () => (await seen()).length > 0,
        30_000,
      );
      const found = await seen();
      assert.equal(
        found.reduce((sum, { value }) => sum + value, 0),
        ledger.seen,
      );
      assert.ok(found.some(({ labels }) => labels.user === HOSTILE));
      // Units and state sets: it negotiated OpenMetrics.
      const state = await prometheus.metadata("pgdog_mirror_readiness_state");
      assert.equal(state?.type, "stateset");
      const lag = await prometheus.metadata("pgdog_mirror_lag_seconds");
      assert.equal(lag?.unit, "seconds");
      const up = await prometheus.query("up");
      assert.deepEqual(up.map(({ value }) => value), [1]);
      const notReady = await prometheus.query(
        'pgdog_mirror_readiness_state{state="NOT READY"} == 1',
      );
      assert.equal(notReady.length, 1);
    });
  },
});

/** Two users, more shapes than are shown, and one that fails on the mirror. */
async function work(admin: string, proxy: TestProxy): Promise<void> {
  const direct = postgres(admin, { max: 1, onnotice() {} });
  await direct`create role ${direct(HOSTILE)} login superuser`;
  await direct.end();
  const { port } = proxy;
  for (const username of ["postgres", HOSTILE]) {
    const sql = postgres({
      host: "127.0.0.1",
      port,
      database: "postgres",
      username,
      max: 1,
      fetch_types: false,
    });
    for (let shape = 1; shape <= SHAPES; shape++) {
      for (let call = 0; call <= shape; call++) {
        const column = `c${shape}`;
        await sql.unsafe(`select ${column} from (values (1)) v (${column})`);
      }
    }
    await sql.unsafe("select checkpoints_timed from pg_stat_bgwriter");
    await sql.end();
  }
}
