import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { Prometheus } from "./prometheus.ts";
import type { TestProxy } from "./proxy.ts";
import { waitFor } from "./wait.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const STATES = ["READY", "NOT READY", "INCONCLUSIVE"];

interface Gate {
  readonly gate: string;
  readonly status: string;
  readonly observed: number | null;
  readonly samples: number;
  readonly sentence: string;
}

/** What `/readiness` says, as far as these tests look. */
export interface ShownVerdict {
  readonly state: string;
  readonly reasons: readonly string[];
  readonly window: { readonly since: string; readonly because: string };
  readonly evidence: Readonly<Record<string, number>>;
  readonly rules: readonly {
    readonly reason: string;
    readonly state: string;
    readonly accepted: number;
  }[];
  readonly statements: readonly {
    readonly fingerprint: string;
    readonly calls: number;
    readonly mismatches: number;
  }[];
  readonly mirrors: readonly {
    readonly verdict: { readonly state: string; readonly gates: Gate[] };
    readonly evidence: Readonly<Record<string, number>>;
  }[];
}

/** Everything that shows the verdict on a proxy's only mirror, without traffic meanwhile. */
export class Surfaces {
  readonly #proxy: TestProxy;
  readonly #http: string;
  readonly #prometheus: Prometheus | undefined;

  /** @param httpPort of `openmetrics_port`. */
  constructor(proxy: TestProxy, httpPort: number, prometheus?: Prometheus) {
    this.#proxy = proxy;
    this.#http = `http://127.0.0.1:${httpPort}`;
    this.#prometheus = prometheus;
  }

  /** What the page reads. */
  async page(): Promise<ShownVerdict> {
    return await (await fetch(`${this.#http}/readiness`)).json();
  }

  /** Waits until the page says so. */
  async until(
    what: string,
    holds: (page: ShownVerdict) => boolean,
  ): Promise<ShownVerdict> {
    let page = await this.page();
    await waitFor(
      what,
      async () => holds(page = await this.page()),
      20_000,
    ).catch(() => assert.fail(`${what}: ${JSON.stringify(page, null, 1)}`));
    return page;
  }

  /** Waits until so many calls are known, statement by statement. */
  counted(calls: number): Promise<ShownVerdict> {
    return this.until(
      `${calls} calls`,
      ({ statements }) =>
        statements.reduce((sum, { calls }) => sum + calls, 0) === calls,
    );
  }

  /** Asserts that the page, the console, the command, the report, Prometheus' rules and the fleet agree. */
  async assertAgree(): Promise<ShownVerdict> {
    const page = await this.page();
    const { state, gates } = gatesOf(page);
    const rows = await this.#proxy.admin("SHOW MIRROR READINESS");
    assert.deepEqual(
      rows.map(({ gate, status }) => [gate, status]),
      [["verdict", state], ...gates.map(({ gate, status }) => [gate, status])],
    );
    const { code, stdout } = await cli(this.#http);
    assert.equal(code, [0, 1, 3][STATES.indexOf(state)]);
    const report = await (await fetch(`${this.#http}/report`)).text();
    const plain = report.replaceAll("\\", "");
    for (const { gate, status, sentence } of gates) {
      if (gate === "runtime") continue; // goes on between two looks
      assert.ok(stdout.includes(sentence), `${gate} in ${stdout}`);
      assert.ok(plain.includes(`| ${gate} | ${status} | ${sentence}`), gate);
    }
    await this.#assertFleet(state, gates);
    return page;
  }

  async #assertFleet(state: string, gates: readonly Gate[]): Promise<void> {
    const prometheus = this.#prometheus;
    if (prometheus === undefined) return;
    const fleet = async () => {
      const { stdout } = await cli(undefined, prometheus.url);
      return gatesOf(JSON.parse(stdout));
    };
    const recorded = async () => {
      const by = async (name: string) =>
        new Map(
          (await prometheus.query(name))
            .map(({ labels, value }) => [labels.gate, value]),
        );
      const observed = await by("mirror_gate:pgdog_gate_observed:fleet");
      const status = await by("mirror_gate:pgdog_gate_status:fleet");
      return gates.map(({ gate }) => [
        gate,
        ["insufficient", "fail", "pass"][(status.get(gate) ?? NaN) + 1],
        digits(gate, observed.get(gate)),
      ]);
    };
    const expected = gates.map(({ gate, status, observed }) => [
      gate,
      status,
      digits(gate, observed),
    ]);
    await waitFor(
      "the rules to have the process's gates",
      async () => JSON.stringify(await recorded()) === JSON.stringify(expected),
      15_000,
    ).catch(async () => assert.deepEqual(await recorded(), expected));
    const verdict = [1, 0, -1][STATES.indexOf(state)];
    await waitFor(
      `the recorded verdict ${verdict}`,
      async () =>
        await prometheus.value("mirror:pgdog_verdict:fleet") === verdict,
      5_000,
    );
    const judged = await fleet();
    assert.equal(judged.state, state);
    assert.deepEqual(
      judged.gates.map(({ gate, status, observed }) => [
        gate,
        status,
        digits(gate, observed),
      ]),
      expected,
    );
  }
}

/** As a double is written; what goes on between two looks is left out. */
function digits(gate: string, value: number | null | undefined): string {
  if (gate === "runtime") return "";
  return value === null || value === undefined || Number.isNaN(value)
    ? "none"
    : String(value);
}

/** Of the only mirror. */
export function gatesOf(
  page: Pick<ShownVerdict, "mirrors">,
): { state: string; gates: readonly Gate[] } {
  const [mirror] = page.mirrors;
  assert.ok(mirror !== undefined);
  return mirror.verdict;
}

/** One gate of the only mirror. */
export function gateOf(page: Pick<ShownVerdict, "mirrors">, name: string) {
  const gate = gatesOf(page).gates.find(({ gate }) => gate === name);
  assert.ok(gate !== undefined, name);
  return gate;
}

/** The real command: on a proxy, or on a fleet. */
async function cli(url: string | undefined, prometheus?: string) {
  const args = prometheus === undefined
    ? ["--url", url ?? ""]
    : ["--prometheus", prometheus, "--format", "json"];
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", MAIN, "readiness", ...args],
    env: { NO_COLOR: "1" },
  }).output();
  return { code, stdout: new TextDecoder().decode(stdout) };
}
