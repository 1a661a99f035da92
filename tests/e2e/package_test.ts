import assert from "node:assert/strict";
import { basename, join } from "node:path";
import postgres from "postgres";
import { packageProgram } from "../../tools/package.ts";
import { Collector } from "../plugins/otlp/collector.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { freePort } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";

/** A plugin as a user writes one: TypeScript, with names that only types have. */
const PLUGIN = `
import type { Plugin } from "./not_there/api.ts";

enum Answer { Always = 42 }

export default {
  id: "answer",
  parseConfig: (raw: unknown) => raw,
  create(_config, { stats }) {
    stats.declare({
      name: "answer_total",
      help: "Transactions, times 42",
      type: "counter",
      scope: "mirror",
    });
    const handle = () => new Response(String(Answer.Always));
    return { routes: [{ path: "/answer", handle }] };
  },
  probe: new URL("./answer_probe.ts", import.meta.url),
} satisfies Plugin;
`;
const PROBE = `
export default ({ stripe }: { stripe: any }) => {
  const answer: number = stripe.offset("answer_total");
  return {
    requestSeen(series: number): void {
      stripe.cells[series + answer] += 42;
    },
  };
};
`;

/** A folder with nothing but the file, and an environment with nothing but a home. */
class Machine implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "pgdog-mirror-user-" });
  readonly home = Deno.makeTempDirSync({ prefix: "pgdog-mirror-home-" });
  readonly port = freePort();
  readonly httpPort = freePort();
  stderr = "";
  #child: Deno.ChildProcess | undefined;

  /** What a user types. */
  shell(line: string): Deno.Command {
    return new Deno.Command("/bin/sh", {
      args: ["-c", line],
      cwd: this.folder,
      clearEnv: true,
      env: { HOME: this.home, PATH: "/usr/bin:/bin" },
      stdout: "piped",
      stderr: "piped",
    });
  }

  /** `run` with a configuration; returns when it accepts connections. */
  async run(primary: Cluster, collector: string): Promise<Deno.ChildProcess> {
    await this.#write("answer.ts", PLUGIN);
    await this.#write("answer_probe.ts", PROBE);
    await this.#write(
      "pgdog.toml",
      `
[general]
host = "127.0.0.1"
port = ${this.port}
workers = 1
openmetrics_port = ${this.httpPort}
[[databases]]
name = "postgres"
host = "127.0.0.1"
port = ${primary.port}
[[databases]]
name = "mirror"
host = "127.0.0.1"
port = ${primary.port}
database_name = "template1"
user = "postgres"
[[mirroring]]
source_db = "postgres"
destination_db = "mirror"
[[plugin]]
path = "./answer.ts"
[plugins.otlp]
endpoint = "${collector}"
interval_ms = 200
timeout_ms = 200
`,
    );
    const child = this.shell("exec ./pgdog-mirror run --config pgdog.toml")
      .spawn();
    this.#child = child;
    (async () => {
      for await (
        const text of child.stderr.pipeThrough(new TextDecoderStream())
      ) this.stderr += text;
    })();
    await waitFor("SIGHUP to be ignored", () => takesHangup(child.pid), 5_000);
    const accepts = () => this.stderr.includes("Accepting connections");
    const deadline = performance.now() + 20_000;
    while (!accepts() && performance.now() < deadline) {
      try {
        child.kill("SIGHUP"); // a reload, at any moment from now on
      } catch (cause) {
        throw new Error(`It has ended: ${this.stderr}`, { cause });
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert.ok(accepts(), this.stderr);
    return child;
  }

  async text(path: string): Promise<string> {
    return await (await fetch(`http://127.0.0.1:${this.httpPort}${path}`))
      .text();
  }

  #write(name: string, text: string): Promise<void> {
    return Deno.writeTextFile(join(this.folder, name), text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child?.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#child?.status;
    await this.#child?.stdout.cancel();
    await Deno.remove(this.folder, { recursive: true });
    await Deno.remove(this.home, { recursive: true });
  }
}

/** Whether the process ignores or catches SIGHUP, the first bit of the masks of proc(5). */
function takesHangup(pid: number): boolean {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return [...status.matchAll(/^Sig(?:Ign|Cgt):\s*([\da-f]+)$/gm)]
    .some(([, mask]) => (BigInt(`0x${mask}`) & 1n) === 1n);
}

Deno.test({
  name: "package: one file, alone in an empty folder, is the program",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using machine = new Machine();
    await packageProgram(join(machine.folder, "pgdog-mirror"));

    await t.step("it says its version, and unpacks itself once", async () => {
      for (let start = 0; start < 3; start++) {
        const { code, stdout, stderr } = await machine.shell(
          "./pgdog-mirror --version",
        ).output();
        const words = new TextDecoder().decode(stderr);
        assert.equal(code, 0, words);
        if (start === 0) assert.match(words, /unpacking/);
        else assert.equal(words, "");
        assert.match(
          new TextDecoder().decode(stdout),
          /^\d+\.\d+\.\d+\n$/,
        );
      }
    });

    await t.step("it serves traffic, with a plugin by path", async () => {
      await using primary = await startCluster({ version: "15" });
      await using collector = new Collector();
      const child = await machine.run(primary, collector.endpoint);
      assert.equal(
        basename(await Deno.readLink(`/proc/${child.pid}/exe`)),
        "pgdog-mirror",
      );
      const sql = postgres({
        host: "127.0.0.1",
        port: machine.port,
        database: "postgres",
        username: "postgres",
        max: 1,
        fetch_types: false,
      });
      const [row] = await sql`select 6 * 7 as answer`;
      assert.equal(row?.["answer"], 42);
      await sql.end();
      assert.equal(await machine.text("/answer"), "42");
      assert.match(await machine.text("/"), /<title>PgDog Mirror/);
      assert.match(await machine.text("/dashboard/main.js"), /startFeed/);
      assert.match(await machine.text("/dashboard/uplot.js"), /uPlot/);
      await waitFor("both workers to count", async () => {
        const metrics = await machine.text("/metrics");
        return /^pgdog_answer_total\{.*\} 42$/m.test(metrics) &&
          /^pgdog_mirror_requests_mirrored_total\{.*\} 1$/m.test(metrics);
      }, 10_000);
      // Its packages are loaded by a dynamic import, and are in the file, too.
      await waitFor(
        "an export",
        () => collector.last.has("pgdog_answer_total"),
        10_000,
      );
      child.kill("SIGTERM");
      const { code } = await child.status;
      assert.equal(code, 0, machine.stderr);
    });
  },
});
