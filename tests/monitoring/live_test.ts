import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { hasProgram } from "../support/programs.ts";
import { type ActiveAlert, Prometheus } from "../support/prometheus.ts";
import { freePort, TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";
import { ALERTS, dashboardExpressions, RECORDING, VARIABLES } from "./files.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
/** What rules and panels look back on. */
const WINDOW = "10s";

const SCHEMA = `
  create table item (id int primary key, name text);
  insert into item select i, 'item ' || i from generate_series(1, 100) i;
  create table log (line text);
`;

Deno.test({
  name:
    "monitoring: a real Prometheus on the shipped files sees two proxies and a mirror with defects",
  ignore: !hasProgram("prometheus"),
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "15" });
    for (const cluster of [primary, mirror]) await run(cluster, SCHEMA);
    await run(mirror, "delete from item where id = 7; drop table log");
    const folder = await Deno.makeTempDir({ prefix: "pgdog-mirror-fleet-" });
    const start = (name: string, port: number) =>
      TestProxy.start({
        primary,
        mirror,
        general: {
          openmetrics_port: port,
          mirror_error_threshold: 5,
          mirror_min_requests: 50,
          mirror_min_runtime_hours: 0,
        },
        more: `
[plugins.prometheus]
top_statements = 2
[plugins.readiness]
min_pairs = 5
[plugins.history]
path = "${folder}/${name}.sqlite"
interval_ms = 500`,
      });
    const ports = [freePort(), freePort()] as const;
    const targets = ports.map((port) => `127.0.0.1:${port}`);
    await using a = await start("a", ports[0]);
    await using b = await start("b", ports[1]);
    await using prometheus = await Prometheus.start(targets, WINDOW);
    const firing = async (alert: string) =>
      (await prometheus.alerts()).filter(({ labels, state }) =>
        labels.alertname === alert && state === "firing"
      );

    await t.step("without traffic: INCONCLUSIVE, and no alert", async () => {
      await waitFor(
        "the verdict to be recorded",
        async () => await prometheus.value("mirror:pgdog_verdict:fleet") === -1,
        30_000,
      );
      assert.equal(
        await prometheus.value("sum(job:pgdog_blind_instances:sum)"),
        0,
      );
      // Before the first scrape the job was absent.
      const active = async () =>
        (await prometheus.alerts()).map(({ labels }) => labels.alertname);
      await waitFor(
        "no alert to be active",
        async () => (await active()).length === 0,
        5_000,
      ).catch(async () => assert.deepEqual(await active(), []));
    });

    const traffic = new Traffic([a, b]);
    await t.step("four alerts fire for their faults", async () => {
      for (
        const alert of [
          "MirrorVerdictChanged",
          "MirrorMismatches",
          "MirrorErrors",
          "MirrorConsecutiveErrors",
        ]
      ) {
        traffic.failsOnly = alert === "MirrorConsecutiveErrors";
        await waitFor(
          `${alert} to fire`,
          async () => (await firing(alert)).length > 0,
          60_000,
        );
      }
      traffic.failsOnly = false;
      let missing: ActiveAlert | undefined;
      await waitFor(
        "the missing row to be named",
        async () =>
          (missing = (await firing("MirrorMismatches")).find(({ labels }) =>
            // A prepared statement's second execution has no columns to count rows by.
            /^mismatch_(row_count|command_tag)$/.test(labels.result ?? "")
          )) !== undefined,
        15_000,
      );
      assert.match(missing?.labels.instance ?? "", /^127\.0\.0\.1:\d+$/);
      assert.equal(missing?.labels.mirror, "the_mirror");
      assert.match(
        missing?.annotations.summary ?? "",
        /^the_mirror answers differently: mismatch_(row_count|command_tag)$/,
      );
    });

    await t.step("annotations have no template that failed", async () => {
      for (const { annotations } of await prometheus.alerts()) {
        for (const text of Object.values(annotations)) {
          assert.doesNotMatch(text, /<error|<no value>|\{\{/);
        }
      }
    });

    await t.step(
      "alerts without their fault are quiet",
      async () => {
        const names = new Set(
          (await prometheus.alerts()).map(({ labels }) => labels.alertname),
        );
        for (
          const quiet of [
            "ProxyDown",
            "HistoryNotWritten",
            "MirrorSilentlyStopped",
            "MirrorQueueNearBound",
            "MirrorDrops",
            "MirrorPluginErrors",
            "MirrorEvidenceIncomplete",
          ]
        ) assert.ok(!names.has(quiet), quiet);
      },
    );

    await t.step("every expression returns data", async (t) => {
      const expressions = [
        ...dashboardExpressions(),
        ...[...RECORDING, ...ALERTS].map(({ record, alert, expr }) => ({
          where: `rule ${record ?? alert}`,
          expr,
        })),
      ];
      for (const { where, expr } of expressions) {
        await t.step(`${where}: ${expr.slice(0, 80)}`, async () => {
          await waitFor(
            `data of ${inTest(expr)}`,
            async () =>
              (await prometheus.query(inTest(expr)))
                .some(({ value }) => Number.isFinite(value)),
            15_000,
          );
        });
      }
    });

    await t.step("every variable of the dashboard has values", async () => {
      for (const { name, query } of VARIABLES) {
        if (typeof query === "string") continue; // that of the data source
        const series = /^label_values\((.*), \w+\)$/.exec(query?.query ?? "");
        const found = await prometheus.query(inTest(series?.[1] ?? ""));
        assert.ok(found.every(({ labels }) => labels[name]), name);
        assert.ok(found.length > 0, name);
      }
    });

    await traffic.end();
    const ledgers = [await a.settled(), await b.settled()];

    await t.step("the fleet's counts are the sum of both ledgers", async () => {
      const sum = (of: (ledger: typeof ledgers[0]) => number) =>
        ledgers.reduce((total, ledger) => total + of(ledger), 0);
      const seen = sum((ledger) => ledger.seen);
      const replayed = sum((ledger) => ledger.replayed);
      // The last request may have been seen by one scrape, and replayed by the next.
      for (const [kind, count] of Object.entries({ seen, replayed })) {
        await waitFor(
          `the last counts of ${kind} to be recorded`,
          async () =>
            await prometheus.value(
              `mirror:pgdog_evidence:sum{kind="${kind}"}`,
            ) === count,
          15_000,
        );
      }
      const { code, stdout } = await cli(prometheus.url, "json");
      assert.equal(code, 1);
      const fleet = JSON.parse(stdout);
      assert.equal(fleet.state, "NOT READY");
      assert.deepEqual(fleet.reasons, []);
      const { evidence } = fleet.mirrors[0];
      assert.equal(evidence.seen, seen);
      assert.equal(evidence.replayed, replayed);
      assert.equal(evidence.pending, 0);
      const results = (prefix: string) =>
        sum(({ statements }) =>
          Object.entries(statements)
            .filter(([result]) => result.startsWith(prefix))
            .reduce((total, [, n]) => total + n, 0)
        );
      assert.ok(evidence.mismatches > 0);
      assert.equal(evidence.mismatches, results("mismatch_"));
      assert.equal(evidence.compared, results("") - results("skipped_"));
      const tested = await Promise.all(ports.map(async (port) => {
        const answer = await fetch(`http://127.0.0.1:${port}/readiness`);
        return latencyGate((await answer.json()).gates).samples;
      }));
      assert.ok(tested.every((count) => count >= 2), `${tested}`);
      assert.equal(
        latencyGate(fleet.gates).samples,
        tested.reduce((sum, count) => sum + count, 0),
      );
      assert.deepEqual(
        fleet.instances.map((one: Instance) => [
          one.instance,
          one.state,
          one.evidence.seen,
        ]),
        targets.map((instance, i) => [instance, "up", ledgers[i]?.seen]).sort(),
      );
    });

    await t.step(
      "the rules and the command give the same gates and verdict",
      async () => {
        const { stdout } = await cli(prometheus.url, "json");
        const [{ verdict }] = JSON.parse(stdout).mirrors;
        const recorded = async (name: string) =>
          Object.fromEntries(
            (await prometheus.query(name))
              .map(({ labels, value }) => [labels.gate, value]),
          );
        const words = { "1": "pass", "0": "fail", "-1": "insufficient" };
        /** Gates that the rules see otherwise. */
        const different = async () => {
          const [observed, status, limits] = [
            await recorded("mirror_gate:pgdog_gate_observed:fleet"),
            await recorded("mirror_gate:pgdog_gate_status:fleet"),
            await recorded("job_gate:pgdog_gate_limit:max"),
          ];
          return (verdict.gates as Gate[]).filter((gate) => {
            const word = `${status[gate.gate]}` as keyof typeof words;
            // Hours go on between the two questions.
            const near = gate.gate === "runtime" ||
              Math.abs((observed[gate.gate] ?? NaN) - (gate.observed ?? NaN)) <
                1e-6;
            return !near || words[word] !== gate.status ||
              limits[gate.gate] !== gate.limit;
          });
        };
        // Groups of rules are evaluated each at its own moment of a second.
        await waitFor(
          "the last counts to reach the gates",
          async () => (await different()).length === 0,
          5_000,
        ).catch(async () => assert.deepEqual(await different(), []));
        assert.equal(verdict.gates.length, 11);
        assert.equal(await prometheus.value("mirror:pgdog_verdict:fleet"), 0);
      },
    );

    await t.step("a proxy that is down: alert, and a reason", async () => {
      await b.supervisor.stop(0);
      await waitFor(
        "ProxyDown to fire",
        async () => (await firing("ProxyDown")).length === 1,
        30_000,
      );
      const [alert] = await firing("ProxyDown");
      assert.equal(alert?.labels.instance, targets[1]);
      await waitFor(
        "MirrorEvidenceIncomplete to fire",
        async () => (await firing("MirrorEvidenceIncomplete")).length === 1,
        30_000,
      );
      const { code, stdout } = await cli(prometheus.url, "text");
      assert.equal(code, 1);
      assert.match(stdout, /^NOT READY\. /);
      assert.match(stdout, new RegExp(`^note: ${targets[1]} is down$`, "m"));
      assert.match(
        stdout,
        new RegExp(`^  down +${targets[1]}: 0 requests seen`, "m"),
      );
    });

    await t.step("who can't be asked: exit 2, and why", async () => {
      const nobody = await cli(`http://127.0.0.1:${freePort()}`, "text");
      assert.equal(nobody.code, 2);
      assert.match(nobody.stderr, /^Cannot ask http:/);
      const proxy = await cli(`http://${targets[0]}`, "text");
      assert.equal(proxy.code, 2);
      assert.match(proxy.stderr, /does not answer as Prometheus does/);
      const job = await cli(prometheus.url, "text", "--job", "other");
      assert.equal(job.code, 2);
      assert.match(job.stderr, /scrapes no job "other"/);
    });
    await Deno.remove(folder, { recursive: true });
  },
});

function latencyGate(gates: readonly Gate[]): Gate {
  const gate = gates.find(({ gate }) => gate === "latency_regressions");
  assert.ok(gate !== undefined);
  return gate;
}

interface Gate {
  readonly gate: string;
  readonly samples: number;
  readonly status: string;
  readonly observed: number | null;
  readonly limit: number;
}

interface Instance {
  readonly instance: string;
  readonly state: string;
  readonly evidence: { readonly seen: number };
}

/**
 * As Grafana would send it, for all values of the variables. Comparisons give 0
 * or 1 instead of leaving series out: what is asked is whether both sides have
 * data, fault or not.
 */
function inTest(expr: string): string {
  return expr
    .replaceAll(/\$(instance|database|mirror)\b/g, ".*")
    .replaceAll(/\$__(rate_)?interval\b/g, WINDOW)
    .replaceAll(/\[10m\]|\[5m\]/g, `[${WINDOW}]`)
    .replaceAll("offset 10m", `offset ${WINDOW}`)
    .replaceAll(/(?<=\s)(==|!=|<=|>=|<|>) (?!bool)/g, "$1 bool ");
}

/** Statements through each proxy until it ends: some agree, some differ, some fail. */
class Traffic {
  /** Whether all statements fail on the mirror from now on. */
  failsOnly = false;
  #ended = false;
  readonly #clients: readonly Promise<void>[];

  constructor(proxies: readonly TestProxy[]) {
    this.#clients = proxies.map((proxy) => this.#client(proxy));
  }

  async end(): Promise<void> {
    this.#ended = true;
    await Promise.all(this.#clients);
  }

  async #client(proxy: TestProxy): Promise<void> {
    const sql = postgres(proxy.url(), { max: 1, fetch_types: false });
    while (!this.#ended) {
      // The server's own pace, so that the machine is not loaded.
      await sql`insert into log select 'x' from pg_sleep(0.05)`;
      if (this.failsOnly) continue;
      await sql`select * from item where id = 8`;
      await sql`select * from item where id between 6 and 8 order by id`;
    }
    await sql.end();
  }
}

async function run(cluster: Cluster, sql: string): Promise<void> {
  const connection = postgres(cluster.url(), { max: 1, onnotice() {} });
  try {
    await connection.unsafe(sql).simple();
  } finally {
    await connection.end();
  }
}

/** The real command. */
async function cli(url: string, format: string, ...more: readonly string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "-A",
      MAIN,
      "readiness",
      "--prometheus",
      url,
      "--format",
      format,
      ...more,
    ],
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return {
    code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}
