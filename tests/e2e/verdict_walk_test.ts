import assert from "node:assert/strict";
import postgres from "postgres";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { hasProgram } from "../support/programs.ts";
import { Prometheus } from "../support/prometheus.ts";
import { freePort, TestProxy } from "../support/proxy.ts";
import {
  gateOf,
  gatesOf,
  type ShownVerdict,
  Surfaces,
} from "../support/surfaces.ts";
import { waitFor } from "../support/wait.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

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

const MENDED = `
  update item set name = 'item 7' where id = 7;
  create function twice(int) returns int language sql as 'select 2 * $1';
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
        /40 that differ as well are accepted by rules/,
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

    await t.step(
      "mended, and RESET MIRROR WINDOW: READY when earned",
      async () => {
        await run(mirror, MENDED);
        // On traffic that is there, and goes on while the window begins.
        await traffic(proxy, 20);
        const counted = await scraped(httpPort, "mirror_requests_total");
        await proxy.admin("RESET MIRROR WINDOW");
        const page = await surfaces.page();
        assert.equal(page.state, "INCONCLUSIVE");
        assert.match(page.window.because, /RESET MIRROR WINDOW/);
        assert.deepEqual(page.statements, []);
        const { seen, replayed, compared, mismatches } = page.evidence;
        assert.deepEqual([seen, replayed, compared, mismatches], [0, 0, 0, 0]);
        for (const words of ["DIFFS", "STATEMENTS"]) {
          assert.deepEqual(
            await proxy.admin(`SHOW MIRROR ${words}`),
            [],
            words,
          );
        }
        await surfaces.assertAgree();
        // Exported counters go on.
        assert.equal(await scraped(httpPort, "mirror_requests_total"), counted);
        await traffic(proxy, 20);
        await surfaces.counted(60);
        const earned = await surfaces.assertAgree();
        assert.equal(earned.state, "READY", JSON.stringify(earned));
        assert.equal(earned.evidence.seen, 60);
        assert.deepEqual(await proxy.admin("SHOW MIRROR DIFFS"), []);
        assert.equal(
          await scraped(httpPort, "mirror_requests_total"),
          counted + 60,
        );
        const [last] = (await proxy.admin("SHOW MIRROR HISTORY"))
          .filter(({ kind }) => kind === "window");
        assert.ok(last !== undefined);
      },
    );

    await t.step("another configuration begins a window, too", async () => {
      const toml = proxy.toml;
      proxy.toml = toml.replace(
        "[general]",
        '[general]\nmirror_order = "client"',
      );
      await proxy.admin("RELOAD");
      const page = await surfaces.page();
      assert.equal(page.evidence.seen, 0);
      assert.equal(page.window.because, "mirroring is configured otherwise");
      await surfaces.assertAgree();
      // Back: what was earned under it is there again, for there is a history.
      proxy.toml = toml;
      await proxy.admin("RELOAD");
      const back = await surfaces.until(
        "the evidence to come back",
        ({ evidence }) => evidence.seen === 60,
      );
      assert.match(back.window.because, /RESET MIRROR WINDOW/);
      await surfaces.counted(60);
      await surfaces.assertAgree();
    });

    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test({
  name:
    "RESET MIRROR WINDOW: under load and without history the new window's ledger closes, and a restart keeps it",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "18" });
    for (const cluster of [primary, mirror]) await run(cluster, SCHEMA);
    await run(mirror, DEFECTS);
    const folder = await Deno.makeTempDir({ prefix: "pgdog-mirror-window-" });
    const begin = (httpPort: number, more: string) =>
      TestProxy.start({
        primary,
        mirror,
        general: { openmetrics_port: httpPort, workers: 2 },
        more: RULES("2100-01-01") + more,
      });

    await t.step("every mismatch of the window is accepted", async () => {
      const httpPort = freePort();
      await using proxy = await begin(httpPort, "");
      const surfaces = new Surfaces(proxy, httpPort);
      let isRunning = true;
      const clients = Array.from({ length: 4 }, async () => {
        while (isRunning) await statements(proxy, 5);
      });
      for (let i = 0; i < 10; i++) {
        const before = proxy.ledger().replayed;
        await waitFor(
          "traffic to go on",
          () => proxy.ledger().replayed > before + 50,
          30_000,
        );
        // The main thread hears late of what the worker has done.
        const busy = setInterval(() => spin(20), 1);
        await proxy.admin("RESET MIRROR WINDOW");
        clearInterval(busy);
      }
      isRunning = false;
      await Promise.all(clients);
      await proxy.settled();
      const page = await surfaces.until(
        "all that was counted to be known by statement",
        ({ evidence, statements }) =>
          statements.reduce((sum, { calls }) => sum + calls, 0) ===
            evidence.replayed,
      );
      const { seen, pending, mismatches, requestsWithErrors } = page.evidence;
      const { replayed = 0, dropped = 0, failed = 0 } = page.evidence;
      assert.ok(replayed > 0);
      // A busy machine's mirror may be late for a login.
      assert.deepEqual([seen, pending], [replayed + dropped + failed, 0]);
      // To the last one: counts and statements begin at the same moment.
      assert.deepEqual([mismatches, requestsWithErrors], [0, 0]);
      const accepted = page.rules.reduce((sum, rule) => sum + rule.accepted, 0);
      assert.equal(
        accepted,
        page.statements.reduce((sum, { mismatches }) => sum + mismatches, 0),
      );
    });

    await t.step("with history a restart keeps the new window", async () => {
      const history = `
[plugins.history]
path = "${folder}/history.sqlite"
proxy = "one"
interval_ms = 200`;
      const seen = async (
        during: (proxy: TestProxy, surfaces: Surfaces) => Promise<void>,
      ) => {
        const httpPort = freePort();
        await using proxy = await begin(httpPort, history);
        const surfaces = new Surfaces(proxy, httpPort);
        await during(proxy, surfaces);
        return await surfaces.page();
      };
      const since = (await seen(async (proxy, surfaces) => {
        await traffic(proxy, 3);
        await surfaces.counted(9);
        await proxy.admin("RESET MIRROR WINDOW");
        await traffic(proxy, 2);
        await surfaces.counted(6);
      })).window;
      const after = await seen(async (proxy, surfaces) => {
        await surfaces.until(
          "the window",
          ({ evidence }) => evidence.seen === 6,
        );
        await traffic(proxy, 1);
        await surfaces.counted(9);
      });
      assert.equal(after.evidence.seen, 9);
      assert.deepEqual(after.window, since);
      assert.match(since.because, /RESET MIRROR WINDOW/);
    });
    await Deno.remove(folder, { recursive: true });
  },
});

/** Keeps this thread, which is the proxy's main thread, from everything else. */
function spin(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

Deno.test({
  name:
    "runtime: a day without traffic is none, and hours with traffic outlive a restart",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "18" });
    for (const cluster of [primary, mirror]) await run(cluster, SCHEMA);
    const folder = await Deno.makeTempDir({ prefix: "pgdog-mirror-hours-" });
    const live = async (
      during: (surfaces: Surfaces, proxy: TestProxy) => Promise<void>,
    ) => {
      const httpPort = freePort();
      await using proxy = await TestProxy.start({
        primary,
        mirror,
        general: { openmetrics_port: httpPort, mirror_min_runtime_hours: 2 },
        more: `
[plugins.history]
path = "${folder}/history.sqlite"
proxy = "one"
interval_ms = 200`,
      });
      await during(new Surfaces(proxy, httpPort), proxy);
    };
    const hours = ({ mirrors: [mirror] }: ShownVerdict) =>
      [
        mirror?.evidence.activeHours?.toFixed(2),
        mirror?.evidence.observedHours?.toFixed(2),
      ].join(" of ");
    const active = ({ mirrors: [mirror] }: ShownVerdict) =>
      mirror?.evidence.activeHours ?? 0;
    await live(async (surfaces, proxy) => {
      await traffic(proxy, 5);
      await surfaces.until("the hour to begin", (page) => active(page) > 0);
      await later(DAY_MS, async () => {
        const page = await surfaces.until(
          "the day to pass",
          (page) => hours(page) === "1.00 of 24.00",
        );
        const gate = gateOf(page, "runtime");
        assert.equal(gate.status, "insufficient");
        assert.match(
          gate.sentence,
          /^1\.00 hours with traffic within 24\.00 hours, since \d{4}-.*Z; 2 are needed\.$/,
        );
        await surfaces.assertAgree();
      });
    });
    await live(async (surfaces, proxy) => {
      await surfaces.until(
        "the hours to be there again",
        (page) => hours(page) === "1.00 of 24.00",
      );
      await traffic(proxy, 5);
      // The run's own hour is under way: it is a second hour that has traffic.
      await surfaces.until("another", (page) => active(page) > 1);
      await later(HOUR_MS, async () => {
        const page = await surfaces.until(
          "the second hour",
          (page) => hours(page) === "2.00 of 25.00",
        );
        assert.equal(gateOf(page, "runtime").status, "pass");
      });
    });
    await Deno.remove(folder, { recursive: true });
  },
});

/** A counter's sum in `/metrics`. */
async function scraped(httpPort: number, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`))
    .text();
  return [...text.matchAll(new RegExp(`^pgdog_${name}\\{.*\\} (\\S+)$`, "gm"))]
    .reduce((sum, [, value]) => sum + Number(value), 0);
}

/** The main thread's clocks, as they will be. */
async function later(ms: number, body: () => Promise<void>): Promise<void> {
  const { now } = Date;
  const uptime = performance.now.bind(performance);
  Date.now = () => now() + ms;
  performance.now = () => uptime() + ms;
  try {
    await body();
  } finally {
    Date.now = now;
    performance.now = uptime;
  }
}

/** Each statement so many times, and all outcomes. */
async function traffic(proxy: TestProxy, times: number): Promise<void> {
  await statements(proxy, times);
  await proxy.settled();
}

async function statements(proxy: TestProxy, times: number): Promise<void> {
  const sql = postgres(proxy.url(), {
    max: 1,
    fetch_types: false,
    onnotice() {},
  });
  for (let i = 0; i < times; i++) {
    for (const statement of STATEMENTS) await sql.unsafe(statement);
  }
  await sql.end();
}

async function run(cluster: Cluster, sql: string): Promise<void> {
  const connection = postgres(cluster.url(), { max: 1, onnotice() {} });
  try {
    await connection.unsafe(sql).simple();
  } finally {
    await connection.end();
  }
}
