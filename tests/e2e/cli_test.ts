import assert from "node:assert/strict";
import postgres from "postgres";
import { startCluster } from "../support/cluster.ts";
import { Program } from "../support/program.ts";
import { waitFor } from "../support/wait.ts";
import { query, WireClient } from "../support/wire_client.ts";

const OPTIONS = { sanitizeOps: false, sanitizeResources: false };

Deno.test({
  name: "cli: the process starts, drains and ends with the right code",
  ...OPTIONS,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });

    await t.step(
      "SIGTERM lets an open transaction end, then exits 0",
      async () => {
        await using program = new Program();
        program.start(program.config(primary));
        await program.accepting();
        using idle = await WireClient.connect(program.port);
        using busy = await WireClient.connect(program.port);
        await busy.send(query("begin"));
        await busy.ready(1);
        program.kill("SIGTERM");
        const goodbye = new TextDecoder().decode(await idle.end());
        assert.match(goodbye, /57P01/);
        const ready = await fetch(
          `http://127.0.0.1:${program.httpPort}/readyz`,
        );
        assert.equal(ready.status, 503);
        assert.match(await ready.text(), /draining/);
        const health = await fetch(
          `http://127.0.0.1:${program.httpPort}/healthz`,
        );
        assert.equal(health.status, 200);
        await health.body?.cancel();
        busy.received.length = 0;
        await busy.send(query("select 42"));
        assert.equal(await busy.ready(1), "T");
        await busy.send(query("commit"));
        const last = new TextDecoder().decode(await busy.end());
        assert.match(last, /COMMIT[\s\S]*57P01/);
        assert.equal(await program.exitCode(), 0);
        assert.match(program.stderr, /Final ledger seen=0/);
      },
    );

    await t.step("shutdown_timeout ends a transaction with 57P01", async () => {
      await using program = new Program();
      program.start(program.config(primary, "shutdown_timeout = 300"));
      await program.accepting();
      using busy = await WireClient.connect(program.port);
      await busy.send(query("begin"));
      await busy.ready(1);
      program.kill("SIGINT");
      assert.match(new TextDecoder().decode(await busy.end()), /57P01/);
      assert.equal(await program.exitCode(), 0);
    });

    await t.step("a second signal ends it at once", async () => {
      await using program = new Program();
      program.start(program.config(primary, "shutdown_timeout = 600000"));
      await program.accepting();
      using busy = await WireClient.connect(program.port);
      await busy.send(query("begin"));
      await busy.ready(1);
      program.kill("SIGTERM");
      await waitFor(
        "the drain",
        () => program.stderr.includes("Draining"),
        5_000,
      );
      program.kill("SIGTERM");
      assert.equal(await program.exitCode(), 0);
    });

    await t.step(
      "SHUTDOWN on the admin port, and the console on both ports",
      async () => {
        await using program = new Program();
        program.start(program.config(primary));
        await program.accepting();
        for (const port of [program.port, program.adminPort]) {
          const sql = postgres(`postgres://admin:pw@127.0.0.1:${port}/admin`, {
            max: 1,
            fetch_types: false,
          });
          const [row] = await sql.unsafe("SHOW VERSION");
          assert.ok(row !== undefined);
          if (port === program.adminPort) {
            await sql.unsafe("SHUTDOWN").catch(() => {});
          }
          await sql.end({ timeout: 1 });
        }
        assert.equal(await program.exitCode(), 0);
      },
    );

    await t.step("a taken port: exit 2, with the port's number", async () => {
      await using program = new Program();
      using taken = Deno.listen({ hostname: "127.0.0.1", port: program.port });
      program.start(program.config(primary));
      assert.equal(await program.exitCode(), 2);
      const { port } = taken.addr;
      assert.match(
        program.stderr,
        new RegExp(`127\\.0\\.0\\.1:${port}: another process listens there`),
      );
    });

    await t.step(
      "a bad configuration: exit 2, every problem with its line",
      async () => {
        for (const command of ["run", "check"]) {
          await using program = new Program();
          program.start("[general]\nprot = 1\nworkers = -1\n", command);
          assert.equal(await program.exitCode(), 2);
          assert.match(
            program.stderr,
            /pgdog\.toml:2: general\.prot: unknown key; did you mean "port"\?/,
          );
          assert.match(program.stderr, /pgdog\.toml:3: general\.workers: /);
          assert.match(program.stderr, /databases: /);
        }
      },
    );
  },
});
