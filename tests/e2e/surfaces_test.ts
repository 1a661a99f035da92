import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { plugin } from "../plugin/fixture.ts";
import { startCluster } from "../support/cluster.ts";
import { freePort, TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));

Deno.test({
  name:
    "surfaces: SHOW, /metrics, /readiness, the report and the CLI give the same numbers at rest",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "18" });
    const httpPort = freePort();
    await using proxy = await TestProxy.start({
      primary,
      mirror,
      general: { openmetrics_port: httpPort },
    });
    const sql = postgres(proxy.url(), { max: 1, fetch_types: false });
    for (let i = 0; i < 20; i++) {
      await sql`select ${i}::int`;
      await sql.unsafe("select checkpoints_timed from pg_stat_bgwriter");
    }
    await sql.end();
    const ledger = await proxy.settled();
    const base = `http://127.0.0.1:${httpPort}`;
    const readiness = () => fetch(`${base}/readiness`).then((r) => r.json());
    await waitFor(
      "the statements to be reported",
      async () =>
        (await readiness()).statements
          .reduce((sum: number, s: { calls: number }) => sum + s.calls, 0) ===
          40,
      5_000,
    );

    const json = await readiness();
    assert.equal(json.state, "NOT READY");
    assert.equal(json.evidence.seen, ledger.seen);
    assert.equal(json.evidence.replayed, ledger.replayed);
    assert.equal(json.evidence.mismatches, 20);
    const [worst] = json.statements;
    assert.equal(worst.mismatches, 20);
    assert.equal(worst.text, "select checkpoints_timed from pg_stat_bgwriter");
    assert.equal(worst.examples[0].mirror.sqlstate, "42703");

    const metrics = await (await fetch(`${base}/metrics`)).text();
    const metric = (pattern: string) =>
      Number(metrics.match(new RegExp(`^pgdog_${pattern} (\\S+)$`, "m"))?.[1]);
    assert.equal(metric("mirror_requests_total\\{[^}]*\\}"), ledger.seen);
    assert.equal(
      metric(
        'mirror_statements_total\\{[^}]*result="mismatch_error_on_mirror"\\}',
      ),
      20,
    );
    assert.equal(metric('mirror_readiness_state\\{state="NOT READY"\\}'), 1);
    assert.equal(metric("mirror_readiness_score"), json.score);

    const admin = postgres(
      `postgres://admin:admin-secret@127.0.0.1:${proxy.port}/admin`,
      { max: 1, fetch_types: false },
    );
    const stats = Object.fromEntries(
      (await admin.unsafe("SHOW MIRROR_STATS")).map((r) => [r.metric, r.value]),
    );
    assert.equal(Number(stats.requests_total), ledger.seen);
    assert.equal(Number(stats.errors_query), 20);
    const [first] = await admin.unsafe("SHOW MIRROR READINESS");
    assert.equal(first?.status, "NOT READY");
    assert.equal(Number(first?.observed), json.score);
    const [diff] = await admin.unsafe("SHOW MIRROR DIFFS");
    assert.equal(diff?.class, "error_on_mirror");
    assert.equal(Number(diff?.count), 20);
    assert.equal(diff?.mirror_answer, "error 42703");
    const statements = await admin.unsafe("SHOW MIRROR STATEMENTS");
    assert.equal(Number(statements[0]?.mismatches), 20);
    await admin.end();

    const text = await cli("readiness", "--url", base);
    assert.equal(text.code, 1);
    assert.match(text.stdout, /^NOT READY\. /);
    const asJson = await cli("readiness", "--url", base, "--format", "json");
    assert.equal(JSON.parse(asJson.stdout).evidence.seen, ledger.seen);
    const report = await cli("report", "--url", base, "--format", "markdown");
    assert.equal(report.code, 0);
    assert.match(report.stdout, /^# Mirror readiness: NOT READY/);
    assert.match(
      report.stdout,
      /postgres \(PostgreSQL 15\.18\) on the\\?_mirror \(PostgreSQL 18\.4\)/,
    );
    assert.match(
      report.stdout,
      new RegExp(`\\| ${ledger.seen} \\| 0 \\| 0 \\| ${ledger.replayed} \\|`),
    );
    const html = await cli("report", "--url", base, "--format", "html");
    assert.match(html.stdout, /<h1>Mirror readiness: NOT READY<\/h1>/);
    const nobody = await cli(
      "readiness",
      "--url",
      `http://127.0.0.1:${freePort()}`,
    );
    assert.equal(nobody.code, 2);
    assert.match(nobody.stderr, /Cannot ask/);
  },
});

Deno.test({
  name:
    "surfaces: http_token is asked for, and told by no SHOW, no log and to no plugin",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using primary = await startCluster({ version: "15" });
    const httpPort = freePort();
    const token = "correct-horse-battery";
    await using proxy = await TestProxy.start({
      primary,
      general: { openmetrics_port: httpPort, http_token: token },
      plugins: [plugin("nosy", {
        create: (_config, context) => ({
          routes: [{ path: "/nosy", handle: () => Response.json(context) }],
        }),
      })],
    });
    const base = `http://127.0.0.1:${httpPort}`;
    const list = await fetch(`${base}/nowhere`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const [, ...paths] = (await list.text()).trim().split("\n");
    assert.ok(paths.includes("/nosy") && paths.includes("/metrics"));
    for (const path of paths) {
      const isOpen = path === "/healthz" || path === "/readyz";
      const refused = await fetch(base + path);
      await refused.body?.cancel();
      assert.equal(refused.status, isOpen ? 200 : 401, path);
      const answered = await fetch(base + path, {
        headers: { authorization: `Bearer ${token}` },
      });
      assert.equal(answered.status, 200, path);
      assert.ok(!(await answered.text()).includes(token), path);
    }
    const admin = postgres(
      `postgres://admin:admin-secret@127.0.0.1:${proxy.port}/admin`,
      { max: 1, fetch_types: false },
    );
    for (const { command } of await admin.unsafe("SHOW HELP")) {
      if (!String(command).startsWith("SHOW")) continue;
      const rows = JSON.stringify(await admin.unsafe(String(command)));
      assert.ok(!rows.includes(token), String(command));
    }
    await admin.end();
    assert.ok(!proxy.logs.join("\n").includes(token));

    const asked = await cli("readiness", "--url", base, "--token", token);
    assert.equal(asked.code, 3, asked.stderr);
    const path = await Deno.makeTempFile({ suffix: ".toml" });
    await Deno.writeTextFile(
      path,
      `[general]
openmetrics_port = ${httpPort}
http_token = "${token}"
[[databases]]
name = "postgres"
host = "127.0.0.1"
`,
    );
    const configured = await cli("readiness", "--config", path);
    await Deno.remove(path);
    assert.equal(configured.code, 3, configured.stderr);
    const refused = await cli("report", "--url", base);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /asks for a token/);
  },
});

async function cli(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", "--no-check", MAIN, ...args],
  }).output();
  const decoder = new TextDecoder();
  return {
    code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}
