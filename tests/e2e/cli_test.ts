import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { freePort } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";
import { query, WireClient } from "../support/wire_client.ts";

const OPTIONS = { sanitizeOps: false, sanitizeResources: false };
const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));

/** The program as a process, from source. */
class Program implements AsyncDisposable {
  stderr = "";
  readonly port = freePort();
  readonly adminPort = freePort();
  readonly httpPort = freePort();
  readonly folder = Deno.makeTempDirSync();
  #child: Deno.ChildProcess | undefined;
  #status: Promise<Deno.CommandStatus> | undefined;

  config(primary: Cluster, general = ""): string {
    return `
[general]
host = "127.0.0.1"
port = ${this.port}
admin_port = ${this.adminPort}
openmetrics_port = ${this.httpPort}
${general}
[[databases]]
name = "postgres"
host = "127.0.0.1"
port = ${primary.port}
[admin]
password = "pw"
`;
  }

  start(config: string, command = "run"): void {
    const path = `${this.folder}/pgdog.toml`;
    Deno.writeTextFileSync(path, config, { mode: 0o600 });
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "-A", MAIN, command, "--config", path],
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#status = this.#child.status;
    const { stderr } = this.#child;
    (async () => {
      for await (const text of stderr.pipeThrough(new TextDecoderStream())) {
        this.stderr += text;
      }
    })();
  }

  async accepting(): Promise<void> {
    await waitFor(
      "the proxy to accept: " + this.stderr,
      () => this.stderr.includes("Accepting connections"),
      20_000,
    );
  }

  kill(signal: Deno.Signal): void {
    this.#child?.kill(signal);
  }

  async exitCode(): Promise<number> {
    return (await this.#status)?.code ?? -1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child?.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#status;
    await Deno.remove(this.folder, { recursive: true });
  }
}

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
