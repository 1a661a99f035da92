/**
 * The hot path of several checkouts in one run: tap and capture alone, then
 * workers' CPU per transaction with a mirror, at a fixed rate and with the same
 * queue: what is dropped costs no replay, which shares the processors. Each
 * checkout runs twice, in an order and its reverse, because what starts first
 * is up to a twentieth faster; rounds are interleaved, ratios are to the first.
 *
 * ```sh
 * git worktree add --detach ../before cdf9885
 * deno run -A bench/load/checkouts.ts before=../before now=.
 * ```
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startCluster } from "../../src/cli/demo/cluster.ts";
import { freePort } from "../../tests/support/proxy.ts";
import { accepting, HOST, median, run } from "./support.ts";
import { cpuByRole } from "./thread_cpu.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "21" },
    rate: { type: "string", default: "4000" },
    clients: { type: "string", default: "16" },
  },
});
const rounds = Number(values.rounds);
const ROUND_NS = 15e6;
const checkouts = positionals.map((text) => {
  const [name = "", folder = ""] = text.split("=");
  return { name, folder: Deno.realPathSync(folder) };
});
type Checkout = typeof checkouts[number];
const places = [...checkouts, ...checkouts.toReversed()];

/** By kind of transaction and checkout: a figure for each round, the two places one after the other. */
type Figures = Map<string, Map<string, number[]>>;

function note(figures: Figures, kind: string, name: string, figure: number) {
  const of = figures.get(kind) ?? new Map<string, number[]>();
  figures.set(kind, of.set(name, [...of.get(name) ?? [], figure]));
}

function print(title: string, figures: Figures): void {
  console.log(title);
  console.table([...figures].map(([kind, of]) => {
    const first = median(of.get(checkouts[0]?.name ?? "") ?? []);
    const cells = checkouts.flatMap(({ name }) => {
      const figure = median(of.get(name) ?? []);
      return [
        [name, Number(figure.toPrecision(3))],
        [`${name} / first`, (figure / first).toFixed(2)],
      ];
    });
    return { kind, ...Object.fromEntries(cells) };
  }));
}

/** A process that runs a checkout's tap when it is asked to. */
class TapProcess {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = "";

  constructor(readonly checkout: Checkout) {
    const program = new URL("checkout_tap.ts", import.meta.url);
    const { folder } = checkout;
    const config = `${folder}/deno.json`;
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "--quiet", "--no-check", "--config", config],
        ...[fileURLToPath(program), folder],
      ],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#writer = child.stdin.getWriter();
    this.#reader = child.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
  }

  async line(): Promise<string> {
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return line;
      }
      const { value, done } = await this.#reader.read();
      if (done) throw new Error(`The tap of ${this.checkout.name} has ended`);
      this.#text += value;
    }
  }

  async ask(kind: string, times: number): Promise<number> {
    const line = `${kind}\t${Math.ceil(times)}\n`;
    await this.#writer.write(new TextEncoder().encode(line));
    return Number(await this.line());
  }

  close(): Promise<void> {
    return this.#writer.close();
  }
}

async function compareTaps(): Promise<Figures> {
  const taps = places.map((checkout) => new TapProcess(checkout));
  const figures: Figures = new Map();
  let kinds: string[] = [];
  for (const tap of taps) kinds = JSON.parse(await tap.line());
  for (const kind of kinds) {
    // All do the same number of times, about so long for the first.
    const ns = await taps[0]?.ask(kind, 1_000) ?? 1_000;
    for (let round = 0; round < rounds; round++) {
      for (const tap of taps) {
        const figure = await tap.ask(kind, ROUND_NS / ns);
        note(figures, kind, tap.checkout.name, figure);
      }
    }
  }
  for (const tap of taps) await tap.close();
  return figures;
}

async function compareProxies(): Promise<Figures> {
  await using stack = new AsyncDisposableStack();
  const primary = stack.use(await startCluster({ version: "15" }));
  const mirror = stack.use(await startCluster({ version: "18" }));
  const bench = (port: number, args: string[]) =>
    run("pgbench", [
      ...["-h", HOST, "-p", `${port}`, "-U", "postgres", "-n", ...args],
      "postgres",
    ]);
  for (const { port } of [primary, mirror]) await bench(port, ["-i", "-q"]);
  const folder = await Deno.makeTempDir();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const rows = `${folder}/rows.sql`;
  await Deno.writeTextFile(
    rows,
    "\\set a random(1, 90000)\nSELECT * FROM pgbench_accounts WHERE aid BETWEEN :a AND :a + 29;\n",
  );
  const kinds = { select: ["-S"], "30 rows": ["-f", rows], tpcb: ["-N"] };
  const proxies: { name: string; port: number; pid: number }[] = [];
  for (const [place, checkout] of places.entries()) {
    const port = freePort();
    const config = `${folder}/${place}.toml`;
    await Deno.writeTextFile(
      config,
      `[general]
host = "${HOST}"
port = ${port}
log_level = "warn"
mirror_queue = 10_000
[[databases]]
name = "postgres"
host = "${HOST}"
port = ${primary.port}
[[databases]]
name = "mirror"
host = "${HOST}"
port = ${mirror.port}
database_name = "postgres"
user = "postgres"
[[mirroring]]
source_db = "postgres"
destination_db = "mirror"
`,
    );
    const { folder: root } = checkout;
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "-A", "--no-check", "--config"],
        ...[`${root}/deno.json`, `${root}/main.ts`, "run", "--config", config],
      ],
      stderr: "null",
    }).spawn();
    stack.defer(async () => {
      child.kill("SIGKILL");
      await child.status;
    });
    await accepting(port);
    proxies.push({ name: checkout.name, port, pid: child.pid });
  }
  const figures: Figures = new Map();
  const load = ["-c", values.clients, "-T", "3", "-R", values.rate];
  for (const [kind, args] of Object.entries(kinds)) {
    // Two rounds more: V8 has to compile.
    for (let round = -2; round < rounds; round++) {
      for (const { name, port, pid } of proxies) {
        const before = cpuByRole(pid, true);
        const said = await bench(port, [...load, ...args]);
        const count = Number(/actually processed: (\d+)/.exec(said)?.[1]);
        const { proxy, mirror } = cpuByRole(pid, true).since(before).per(count);
        if (round < 0) continue;
        note(figures, kind, name, proxy);
        note(figures, `${kind}, mirror worker`, name, mirror);
      }
      proxies.push(...proxies.splice(0, 1));
    }
  }
  return figures;
}

print("Tap and capture, ns per transaction:", await compareTaps());
print(
  "Workers, µs of CPU per transaction:",
  await compareProxies(),
);
