import assert from "node:assert/strict";
import postgres from "postgres";
import {
  PASSWORD,
  startConsole,
  STATS_PASSWORD,
  STATS_USER,
  USER,
} from "./console.ts";

function connect(port: number, user: string, password: string) {
  return postgres({
    host: "127.0.0.1",
    port,
    user,
    password,
    database: "admin",
    max: 1,
    fetch_types: false,
    onnotice() {},
  });
}

Deno.test({
  name:
    "roles: the stats user reads figures, and may do nothing that is not listed",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const console = startConsole();
    const { port } = console.server;
    const stats = connect(port, STATS_USER, STATS_PASSWORD);
    for (const words of ["SHOW HELP", "SHOW CLIENTS", "show databases"]) {
      assert.ok((await stats.unsafe(words)).length > 0, words);
    }
    for (
      const words of [
        "SHOW CONFIG",
        "RESET MIRROR_STATS",
        "SHUTDOWN",
        // Of a plugin that nobody has listed.
        "SHOW BROKEN",
      ]
    ) {
      for (const prepare of [false, true]) {
        await assert.rejects(
          async () => await stats.unsafe(words, [], { prepare }),
          { code: "42501", message: `permission denied for command ${words}` },
        );
      }
    }
    assert.deepEqual(console.runs, { shutdown: 0, reset: 0 });
    // A driver's habits are no commands.
    assert.equal((await stats`select 1 as one`)[0]?.one, 1);
    await stats.end();

    const wrong = connect(port, STATS_USER, PASSWORD);
    await assert.rejects(async () => await wrong.unsafe("SHOW HELP"), {
      code: "28P01",
    });
    await wrong.end();
    const admin = connect(port, USER, PASSWORD);
    await admin.unsafe("RESET MIRROR_STATS");
    assert.equal(console.runs.reset, 1);
    await admin.end();
    await console.server.close();
  },
});
