import assert from "node:assert/strict";
import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import {
  ledgerProblems,
  parseScrape,
} from "../../bench/load/side_by_side/ledger.ts";
import { parseOptions } from "../../bench/load/side_by_side/options.ts";
import { runCase } from "../../bench/load/side_by_side/runner.ts";
import { SCENARIO } from "../../bench/load/side_by_side/scenarios.ts";
import { hasProgram } from "../support/programs.ts";

const BENCH = new URL("../../bench/load/", import.meta.url);
const TINY = ["--rounds", "1", "--clients", "4", "--scale", "1"];
const canRun = ["pgbench", "pgbouncer", "haproxy"].every(hasProgram);

async function run(
  args: string[],
  env: Record<string, string> = {},
  program = "side_by_side/mod",
) {
  const path = fileURLToPath(new URL(`${program}.ts`, BENCH));
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", path, ...args],
    env: { NO_COLOR: "1", ...env },
  });
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return {
    code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}

function plotsOf(stdout: string): string[] {
  return stdout.match(/^\/.*\.svg$/gm) ?? [];
}

async function removePlots(stdout: string): Promise<void> {
  const [plot] = plotsOf(stdout);
  if (plot) await Deno.remove(dirname(plot), { recursive: true });
}

Deno.test({
  name: "bench:load: every scenario runs, no client errs, every ledger closes",
  ignore: !canRun,
  async fn() {
    const { code, stdout, stderr } = await run([
      ...[...TINY, "--transactions", "10", "--rate", "500"],
      ...["--result-bytes", "3000000", "--copy-bytes", "1000000"],
      ...["--slow-clients", "2"],
    ]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^No client saw an error, and every ledger closes/m);
    assert.match(stderr, /^PgDog is left out/m);
    for (const { title, targets } of Object.values(SCENARIO)) {
      const [, table = ""] = stdout.split(`\n${title}\n`);
      const [rows = ""] = table.trim().split("\n\n");
      for (const target of targets) {
        if (target.startsWith("pgdog")) continue;
        assert.ok(rows.includes(`| ${target} `), `${title}: ${target}`);
      }
    }
    // One number of clients is no line.
    assert.deepEqual(plotsOf(stdout), []);
  },
});

Deno.test({
  name: "bench:load: a plot of each figure over the numbers of clients",
  ignore: !canRun,
  async fn() {
    const { code, stdout, stderr } = await run([
      ...["--rounds", "1", "--scale", "1", "--transactions", "50"],
      ...["--only", "shop", "--modes", "prepared", "--clients", "2,4"],
    ]);
    assert.equal(code, 0, stderr);
    const plots = plotsOf(stdout);
    try {
      assert.deepEqual(plots.map((path) => basename(path)), [
        "load-shop-throughput.svg",
        "load-shop-cpu.svg",
      ]);
      for (const path of plots) {
        const svg = await Deno.readTextFile(path);
        assert.match(svg, /^<svg/);
        assert.match(svg, />shop, prepared</);
      }
    } finally {
      await removePlots(stdout);
    }
  },
});

Deno.test({
  name: "bench:load: an error of a client ends it with 1, in words",
  ignore: !canRun,
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      // Only what is measured says -M; tables are made as ever.
      await Deno.writeTextFile(
        `${folder}/pgbench`,
        `#!/bin/sh
case "$*" in *" -M "*) echo "client 0 aborted" >&2; exit 2;; esac
PATH="\${PATH#*:}" exec pgbench "$@"
`,
        { mode: 0o755 },
      );
      const { code, stdout, stderr } = await run([
        ...[...TINY, "--transactions", "1"],
        ...["--only", "select", "--modes", "simple"],
      ], { PATH: `${folder}:${Deno.env.get("PATH")}` });
      await removePlots(stdout);
      assert.equal(code, 1, stderr);
      assert.match(
        stderr,
        /^FAILED: select, simple, 4 clients: proxy, mirror, round 1: .*client 0 aborted/m,
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("bench:load: what is wrong on the command line ends it with 2", async () => {
  const { code, stderr } = await run(["--only", "selct"]);
  assert.equal(code, 2);
  assert.match(stderr, /--only "selct" is none of select, tpcb/);
});

Deno.test("bench:load: what is missing ends it with 2, a line for each", async () => {
  const { code, stderr } = await run(["--only", "select"], {
    PATH: "/nowhere",
  });
  assert.equal(code, 2, stderr);
  assert.deepEqual(stderr.trim().split("\n"), [
    '"pgbench" is not installed: apt-get install postgresql-15',
    '"pgbouncer" is not installed: apt-get install pgbouncer',
    '"haproxy" is not installed: apt-get install haproxy',
  ]);
});

Deno.test("bench: the programs of one machine say what is missing", async () => {
  // What they need to start servers, and nothing of Debian's besides.
  const folder = await Deno.makeTempDir();
  try {
    await Deno.symlink("/bin/sh", `${folder}/sh`);
    for (const name of ["volume", "crowd", "identical", "relay"]) {
      const { code, stderr } = await run([], { PATH: folder }, name);
      assert.equal(code, 1, stderr);
      assert.match(
        stderr,
        /Error: "pgbench" is not installed: apt-get install postgresql-15$/m,
        name,
      );
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("bench:load: --short fills in what is not given", () => {
  const { rounds, clients, seconds } = parseOptions(["--short", "--rounds=2"]);
  assert.deepEqual({ rounds, clients, seconds }, {
    rounds: 2,
    clients: [16],
    seconds: 1,
  });
});

const METRICS = {
  seen: 'pgdog_mirror_requests_total{database="a",mirror="m",user="u"} 10',
  replayed:
    'pgdog_mirror_requests_mirrored_total{database="a",mirror="m",user="u"} 5',
  full:
    'pgdog_mirror_requests_dropped_total{database="a",mirror="m",user="u",reason="queue_full"} 2',
  down:
    'pgdog_mirror_requests_dropped_total{database="a",mirror="m",user="u",reason="mirror_down"} 1',
  failed:
    'pgdog_mirror_requests_failed_total{database="a",mirror="m",user="u",reason="timeout"} 1',
  excluded:
    'pgdog_mirror_requests_excluded_total{database="a",mirror="m",user="u",reason="level"} 1',
  pending: 'pgdog_mirror_pending_requests{database="a",mirror="m",user="u"} 0',
  clients: "pgdog_clients 0",
};

function problemsOf(changed: Partial<typeof METRICS>, transactions = 7) {
  const text = Object.values({ ...METRICS, ...changed }).join("\n");
  return ledgerProblems(parseScrape(text), 3, transactions);
}

Deno.test("ledgerProblems: a ledger that closes has none", () => {
  assert.deepEqual(problemsOf({}), []);
});

Deno.test("ledgerProblems: each thing that does not hold is named", () => {
  const [open = ""] = problemsOf({ down: "" });
  assert.match(open, /does not close: .*"dropped":2/);
  assert.deepEqual(problemsOf({ clients: "pgdog_clients 1" }), [
    "1 clients stay",
  ]);
  assert.deepEqual(problemsOf({}, 8), ["8 transactions, but 7 requests seen"]);
  const pending = METRICS.pending.replace(/0$/, "1");
  const seen = METRICS.seen.replace(/10$/, "11");
  assert.deepEqual(problemsOf({ pending, seen }), ["1 requests stay pending"]);
});

Deno.test("ledgerProblems: one user's loss is not another's gain", () => {
  const [, ...others] = Object.values(METRICS);
  const other = METRICS.seen.replace('"u"', '"v"').replace(/10$/, "1");
  const seen = METRICS.seen.replace(/10$/, "9");
  const text = [seen, other, ...others].join("\n");
  assert.equal(ledgerProblems(parseScrape(text), 0, 0).length, 2);
});

Deno.test("runCase: a ledger that does not close is reported with its run", async () => {
  const text = Object.values({ ...METRICS, failed: "" }).join("\n");
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response(text),
  );
  const problems: string[] = [];
  await runCase(
    {
      labels: { what: "select", mode: "simple", clients: 4 },
      measure: () => Promise.resolve({ transactions: 0, figures: {} }),
    },
    [{
      name: "proxy, mirror",
      port: 0,
      pid: undefined,
      httpPort: server.addr.port,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }],
    1,
    (problem) => problems.push(problem),
  );
  assert.equal(problems.length, 1);
  assert.match(
    problems[0] ?? "",
    /^select, simple, 4 clients: proxy, mirror, round 1: the ledger of .* does not close/,
  );
});
