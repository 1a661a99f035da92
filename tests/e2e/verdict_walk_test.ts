import assert from "node:assert/strict";
import postgres from "postgres";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { hasProgram } from "../support/programs.ts";
import { Prometheus } from "../support/prometheus.ts";
import { freePort, TestProxy } from "../support/proxy.ts";
import { gateOf, gatesOf, Surfaces } from "../support/surfaces.ts";

const DAY_MS = 86_400_000;

const SCHEMA = `
  create table item (id int primary key, name text);
  insert into item select i, 'item ' || i from generate_series(1, 100) i;
  create function twice(int) returns int language sql as 'select 2 * $1';
`;

/** Rows and errors differ on the mirror. */
const DEFECTS = `
  update item set name = 'another' where id = 7;
  drop function twice;
`;

const STATEMENTS = [
  "select name from item where id = 7",
  "select name from item where id = 8",
  "select twice(4)",
];

const RULES = (until: string) => `
[[ignore]]
class = "rows"
reason = "the owner of the report knows"
until = "${until}"
[[ignore]]
sqlstate = "42883"
class = "error_on_mirror"
reason = "twice is gone in the next release"
`;

Deno.test({
  name:
    "verdict: a difference appears, a rule accepts it, and it comes back when the rule's day is over or the rule goes",
  ignore: !hasProgram("prometheus"),
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "18" });
    for (const cluster of [primary, mirror]) await run(cluster, SCHEMA);
    await run(mirror, DEFECTS);
    const folder = await Deno.makeTempDir({ prefix: "pgdog-mirror-walk-" });
    const httpPort = freePort();
    await using proxy = await TestProxy.start({
      primary,
      mirror,
      general: {
        openmetrics_port: httpPort,
        mirror_min_requests: 50,
        mirror_min_runtime_hours: 0,
        mirror_max_latency_ratio: 1_000,
      },
      more: `
[plugins.readiness]
min_pairs = 5
[plugins.history]
path = "${folder}/history.sqlite"
interval_ms = 200`,
    });
    await using prometheus = await Prometheus.start(
      [`127.0.0.1:${httpPort}`],
      "10s",
    );
    const surfaces = new Surfaces(proxy, httpPort, prometheus);
    const without = proxy.toml;
    const reload = async (more: string) => {
      proxy.toml = without + more;
      await proxy.admin("RELOAD");
      // At once: nothing has happened in between.
      return await surfaces.page();
    };
    const tomorrow = new Date(Date.now() + DAY_MS).toISOString().slice(0, 10);

    await t.step("a difference appears: NOT READY everywhere", async () => {
      await traffic(proxy, 20);
      await surfaces.counted(60);
      const page = await surfaces.assertAgree();
      assert.equal(page.state, "NOT READY");
      assert.equal(gateOf(page, "mismatch_rate").observed, 40 / 60);
      assert.equal(gateOf(page, "error_rate").observed, 20 / 60);
      assert.deepEqual(page.rules, []);
    });

    await t.step("rules accept it: the verdict changes at once", async () => {
      const page = await reload(RULES(tomorrow));
      assert.equal(gateOf(page, "mismatch_rate").observed, 0);
      assert.equal(gateOf(page, "error_rate").observed, 0);
      assert.match(
        gateOf(page, "mismatch_rate").sentence,
        /40 more are accepted by rules/,
      );
      assert.deepEqual(
        page.rules.map(({ state, accepted }) => [state, accepted]),
        [["active", 20], ["active", 20]],
      );
      assert.equal(gatesOf(page).state, "READY", JSON.stringify(page));
      await surfaces.assertAgree();
      assert.deepEqual(
        (await proxy.admin("SHOW MIRROR RULES"))
          .map(({ rule, reason, until, state, accepted, requests }) => [
            rule,
            reason,
            until,
            state,
            Number(accepted),
            Number(requests),
          ]),
        [
          [
            "class rows",
            "the owner of the report knows",
            tomorrow,
            "active",
            20,
            0,
          ],
          [
            "class error_on_mirror, sqlstate 42883",
            "twice is gone in the next release",
            null,
            "active",
            20,
            20,
          ],
        ],
      );
      const report = await (await fetch(`http://127.0.0.1:${httpPort}/report`))
        .text();
      assert.match(report, /the owner of the report knows/);
      // No new window.
      const kinds = (await proxy.admin("SHOW MIRROR HISTORY"))
        .map(({ kind }) => kind);
      assert.ok(!kinds.includes("config"), kinds.join());
    });

    await t.step("its day is over: the verdict changes by itself", async () => {
      await later(2 * DAY_MS, async () => {
        const page = await surfaces.until(
          "the rule to end",
          (page) => gateOf(page, "mismatch_rate").observed === 20 / 60,
        );
        assert.equal(page.state, "NOT READY");
        assert.deepEqual(
          page.rules.map(({ state, accepted }) => [state, accepted]),
          [["expired", 0], ["active", 20]],
        );
      });
      await surfaces.until("READY again", ({ state }) => state === "READY");
    });

    await t.step("the rule goes: so does what it accepted", async () => {
      const page = await reload("");
      assert.equal(page.state, "NOT READY");
      assert.equal(gateOf(page, "mismatch_rate").observed, 40 / 60);
      assert.equal(gateOf(page, "error_rate").observed, 20 / 60);
      await surfaces.assertAgree();
    });

    await Deno.remove(folder, { recursive: true });
  },
});

/** The main thread's clock, as it will be. */
async function later(ms: number, body: () => Promise<void>): Promise<void> {
  const now = Date.now;
  Date.now = () => now() + ms;
  try {
    await body();
  } finally {
    Date.now = now;
  }
}

/** Each statement so many times, and all outcomes. */
async function traffic(proxy: TestProxy, times: number): Promise<void> {
  const sql = postgres(proxy.url(), {
    max: 1,
    fetch_types: false,
    onnotice() {},
  });
  for (let i = 0; i < times; i++) {
    for (const statement of STATEMENTS) await sql.unsafe(statement);
  }
  await sql.end();
  await proxy.settled();
}

async function run(cluster: Cluster, sql: string): Promise<void> {
  const connection = postgres(cluster.url(), { max: 1, onnotice() {} });
  try {
    await connection.unsafe(sql).simple();
  } finally {
    await connection.end();
  }
}
