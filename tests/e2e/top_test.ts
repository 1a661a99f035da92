import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { startCluster } from "../support/cluster.ts";
import { hasProgram, runProgram } from "../support/programs.ts";
import { freePort, TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const TOKEN = "correct-horse-battery";
const DEADLINE_MS = 20_000;

/** A real terminal emulator of its own server, and one window of it. */
class Tmux implements AsyncDisposable {
  readonly #folder = Deno.makeTempDirSync({ prefix: "pgdog-mirror-tmux-" });

  async start(command: string, columns: number, rows: number): Promise<void> {
    await this.#run(
      ...["-f", "/dev/null", "new-session", "-d"],
      ...["-x", `${columns}`, "-y", `${rows}`, command],
    );
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#run("resize-window", "-x", `${columns}`, "-y", `${rows}`);
  }

  async press(key: string): Promise<void> {
    await this.#run("send-keys", key);
  }

  /** What the window shows, line by line. */
  async screen(): Promise<string[]> {
    const text = await this.#run("capture-pane", "-p");
    return text.trimEnd().split("\n");
  }

  async shows(pattern: RegExp): Promise<string[]> {
    let lines: string[] = [];
    await waitFor(`${pattern}`, async () => {
      lines = await this.screen();
      return pattern.test(lines.join("\n"));
    }, DEADLINE_MS).catch((error) => {
      throw new Error(lines.join("\n"), { cause: error });
    });
    return lines;
  }

  #run(...args: string[]): Promise<string> {
    // UTF-8 whatever the machine's locale is.
    return runProgram("tmux", ["-u", "-S", `${this.#folder}/socket`, ...args]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#run("kill-server").catch(() => {});
    await Deno.remove(this.#folder, { recursive: true });
  }
}

Deno.test({
  name:
    "top: in a terminal it follows the traffic and the window and gives the screen back; elsewhere it prints one frame",
  ignore: !hasProgram("tmux"),
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "18" });
    const httpPort = freePort();
    await using proxy = await TestProxy.start({
      primary,
      mirror,
      general: { openmetrics_port: httpPort, http_token: TOKEN },
    });
    const sql = postgres(proxy.url(), { max: 1, fetch_types: false });
    const url = `http://127.0.0.1:${httpPort}`;
    const top = [Deno.execPath(), "run", "--quiet", "-A", "--no-check", MAIN]
      .concat(["top", "--url", url]);
    try {
      await using tmux = new Tmux();
      const shell = `echo before; PGDOG_HTTP_TOKEN=${TOKEN} ${
        top.join(" ")
      }; echo "code $?"; stty -a; cat`;
      await tmux.start(shell, 110, 40);
      const first = await tmux.shows(/INCONCLUSIVE/);
      assert.match(first[0] ?? "", /^PgDog Mirror .*live .*q: quit/);
      assert.match(first.join("\n"), /PostgreSQL .* → the_mirror PostgreSQL/);

      await sql.unsafe("select checkpoints_timed from pg_stat_bgwriter");
      const after = await tmux.shows(/\[error on mirror\]/);
      assert.match(after.join("\n"), /NOT READY/);
      assert.match(after.join("\n"), /seen 1 = .* replayed 1 .* pending 0/);
      assert.ok(after.some((line) => line.length > 80), after.join("\n"));

      await tmux.resize(60, 16);
      const small = await tmux.shows(/\+ pending 0/);
      assert.ok(small.length <= 16);
      assert.match(small[0] ?? "", /^PgDog Mirror/);

      await tmux.press("q");
      const end = await tmux.shows(/code 0/);
      assert.match(end.join("\n"), /before/, "the screen from before is back");
      assert.doesNotMatch(end.join("\n"), /PgDog Mirror/);
      assert.match((await tmux.shows(/ icanon /)).join("\n"), / echo /);

      const { code, stdout } = await run([...top, "--token", TOKEN]);
      assert.equal(code, 1);
      assert.match(stdout, /^PgDog Mirror/);
      assert.match(stdout, /NOT READY/);
      assert.ok(!stdout.includes("\x1b"));
      const refused = await run(top);
      assert.equal(refused.code, 2);
      assert.match(refused.stderr, /asks for a token/);
    } finally {
      await sql.end();
    }
  },
});

async function run([command = "", ...args]: readonly string[]) {
  const { code, stdout, stderr } = await new Deno.Command(command, { args })
    .output();
  const decoder = new TextDecoder();
  return {
    code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}
