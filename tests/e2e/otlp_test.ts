import assert from "node:assert/strict";
import postgres from "postgres";
import { Collector } from "../plugins/otlp/collector.ts";
import { startCluster } from "../support/cluster.ts";
import { Program } from "../support/program.ts";
import { waitFor } from "../support/wait.ts";

Deno.test({
  name:
    "otlp: a collector that never answers costs clients nothing and the program neither its life nor its end",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using primary = await startCluster({ version: "15" });
    await using collector = new Collector();
    collector.status = 0;
    await using program = new Program();
    program.start(`${program.config(primary)}
[plugins.otlp]
endpoint = "${collector.endpoint}"
interval_ms = 100
timeout_ms = 100
headers = { x-api-key = "sesame" }
`);
    await program.accepting();
    const errors = async () => {
      const url = `http://127.0.0.1:${program.httpPort}/metrics`;
      const text = await (await fetch(url)).text();
      return Number(
        text.match(/^pgdog_otlp_export_errors_total (\d+)$/m)?.[1],
      );
    };
    const sql = postgres({
      host: "127.0.0.1",
      port: program.port,
      database: "postgres",
      username: "postgres",
      max: 1,
      fetch_types: false,
    });
    await waitFor("five failures, clients served", async () => {
      const [row] = await sql`select 6 * 7 as answer`;
      assert.equal(row?.["answer"], 42);
      return await errors() >= 5;
    }, 20_000);
    await sql.end();
    program.kill("SIGTERM");
    assert.equal(await program.exitCode(), 0, program.stderr);
    const said = program.stderr.match(/plugin\.otlp: Export failed .*/g) ?? [];
    assert.equal(said.length, 1, program.stderr);
    assert.match(said[0] ?? "", /reason="?Request timed out|Export timed out/);
    assert.doesNotMatch(program.stderr, /sesame/);
  },
});
