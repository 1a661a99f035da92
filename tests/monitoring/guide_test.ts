import assert from "node:assert/strict";
import postgres from "postgres";
import { mirrorStats } from "../../plugins/mirror_stats/mod.ts";
import { history } from "../../plugins/history/mod.ts";
import { readiness } from "../../plugins/readiness/mod.ts";
import { hostOf } from "../plugin/fixture.ts";
import { startCluster } from "../support/cluster.ts";
import { freePort, TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";
import {
  ALERTS,
  dashboardExpressions,
  PANELS,
  RECORDING,
  shipped,
  VARIABLES,
} from "./files.ts";
import { dashboardJson } from "../../tools/dashboard/mod.ts";

const GUIDE = shipped("README.md");
const EXPRESSIONS = [
  ...dashboardExpressions(),
  ...[...RECORDING, ...ALERTS].map(({ record, alert, expr }) => ({
    where: `rule ${record ?? alert}`,
    expr,
  })),
];

/** The text below a heading, up to the next one of its level or above. */
function section(level: number, title: string): string {
  const heading = `\n${"#".repeat(level)} ${title}\n`;
  const start = GUIDE.indexOf(heading);
  assert.notEqual(start, -1, `a section "${title}"`);
  const rest = GUIDE.slice(start + heading.length);
  const end = rest.search(new RegExp(`^#{1,${level}} `, "m"));
  return end === -1 ? rest : rest.slice(0, end);
}

/** First cells of a table's rows, as far as they are code. */
function firstCells(text: string): string[] {
  return [...text.matchAll(/^\| `([^`]+)` +\|/gm)].map(([, name]) =>
    name ?? ""
  );
}

Deno.test("runbook: every alert has its section, with all five parts, and links to it", () => {
  const runbook = section(1, "Runbook");
  const titles = [...runbook.matchAll(/^## (.+)$/gm)].map(([, title]) => title);
  assert.deepEqual(titles.sort(), ALERTS.map(({ alert }) => alert).sort());
  for (const { alert = "", annotations = {}, labels = {}, ...rule } of ALERTS) {
    const text = section(2, alert);
    for (
      const part of [
        "**Meaning.**",
        "**First look.**",
        "**Likely causes",
        "**Mend.**",
        "**Stop when**",
      ]
    ) assert.ok(text.includes(part), `${alert}: ${part}`);
    assert.equal(
      annotations.runbook_url,
      `monitoring/README.md#${alert.toLowerCase()}`,
    );
    assert.match(annotations.summary ?? "", /\w/, alert);
    assert.match(annotations.description ?? "", /\w/, alert);
    assert.match(labels.severity ?? "", /^(critical|warning|info)$/, alert);
    assert.match(rule.for ?? "", /^\d+m$/, alert);
  }
});

Deno.test("guide: its links lead to its own headings", () => {
  const anchors = [...GUIDE.matchAll(/^#+ (.+)$/gm)]
    .map(([, title]) => title?.toLowerCase().replaceAll(" ", "-"));
  for (const [, anchor = ""] of GUIDE.matchAll(/\]\(#([^)]+)\)/g)) {
    assert.ok(anchors.includes(anchor), anchor);
  }
});

Deno.test("guide: every column of the mirrors' SHOW commands has its line, and no other", () => {
  const { host } = hostOf([mirrorStats, history, readiness], {
    mirrors: [{ database: "shop", mirror: "next" }],
    config: { history: {} },
  });
  const commands = host.commands.filter(({ words }) =>
    words.startsWith("SHOW MIRROR")
  );
  assert.ok(commands.length >= 7);
  for (const { words, columns } of commands) {
    const lines = firstCells(section(3, words).split("\n\n| metric")[0] ?? "");
    assert.deepEqual(lines, columns.map(({ name }) => name), words);
  }
  const rows = host.commands.find(({ words }) => words === "SHOW MIRROR_STATS")
    ?.rows() ?? [];
  const named = [
    ...section(3, "SHOW MIRROR_STATS").matchAll(/`([a-z_0-9*]+)`/g),
  ].map(([, name = ""]) => new RegExp(`^${name.replace("*", ".*")}$`));
  for (const [metric] of rows) {
    assert.ok(named.some((name) => name.test(String(metric))), `${metric}`);
  }
});

Deno.test({
  name: "guide: every metric of a running proxy has its line, and no other",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    const exposed = await exposedMetrics();
    const listed = firstCells(section(2, "Metrics"));
    assert.deepEqual(listed.toSorted(), [...exposed.keys()].toSorted());

    await t.step("dashboard and rules name no other metric", () => {
      const recorded = new Set(RECORDING.map(({ record }) => record));
      const samples = new Set([
        ...[...exposed].flatMap(([name, type]) =>
          type === "histogram"
            ? [`${name}_bucket`, `${name}_sum`, `${name}_count`]
            : [name]
        ),
        "up",
      ]);
      for (const { where, expr } of EXPRESSIONS) {
        const names = metricNames(expr);
        assert.ok(names.length > 0, `${where} names a metric`);
        for (const name of names) {
          assert.ok(
            samples.has(name) || recorded.has(name),
            `${where}: ${name}`,
          );
        }
      }
      for (const { name, query } of VARIABLES) {
        const text = typeof query === "string" ? "" : query?.query ?? "";
        for (const [metric] of text.matchAll(/\bpgdog_\w+/g)) {
          assert.ok(samples.has(metric), `$${name}: ${metric}`);
        }
      }
    });
  },
});

Deno.test("dashboard: the file is what the typed source makes", () => {
  assert.equal(
    shipped("grafana-dashboard.json"),
    dashboardJson(),
    "run `deno task dashboard`",
  );
});

Deno.test("dashboard: every panel has a title, a description, a unit and queries", () => {
  assert.ok(PANELS.length > 20);
  for (const { title = "", description, fieldConfig, targets } of PANELS) {
    assert.match(title, /\w/);
    assert.match(description ?? "", /\w.*\.$/, title);
    assert.match(fieldConfig?.defaults.unit ?? "", /\w/, title);
    assert.ok((targets?.length ?? 0) > 0, title);
  }
  const titles = PANELS.map(({ title }) => title);
  assert.equal(new Set(titles).size, titles.length);
});

Deno.test("dashboard: panels do not overlap, variables are there", () => {
  const cells = new Set<string>();
  for (const { gridPos, title } of PANELS) {
    const { x: left, y: top, w, h } = gridPos ?? { x: 24, y: 0, w: 1, h: 1 };
    for (let x = left; x < left + w; x++) {
      for (let y = top; y < top + h; y++) {
        assert.ok(x < 24 && !cells.has(`${x},${y}`), `${title} at ${x},${y}`);
        cells.add(`${x},${y}`);
      }
    }
  }
  assert.deepEqual(
    VARIABLES.map(({ name }) => name),
    ["datasource", "instance", "database", "mirror"],
  );
});

/** Names and types of what a proxy with all plugins exposes, a statement behind it. */
async function exposedMetrics(): Promise<Map<string, string>> {
  await using primary = await startCluster({ version: "15" });
  await using mirror = await startCluster({ version: "15" });
  const folder = await Deno.makeTempDir({ prefix: "pgdog-mirror-guide-" });
  const port = freePort();
  await using proxy = await TestProxy.start({
    primary,
    mirror,
    general: { openmetrics_port: port },
    more: `
[plugins.prometheus]
top_statements = 1
[plugins.otlp]
endpoint = "http://127.0.0.1:${freePort()}"
timeout_ms = 100
[plugins.history]
path = "${folder}/history.sqlite"`,
  });
  const sql = postgres(proxy.url(), { max: 1, fetch_types: false });
  await sql`select 1`;
  await sql.end();
  let text = "";
  await waitFor(
    "the statement to be exposed",
    async () => {
      text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      return text.includes("pgdog_mirror_top_statement_calls_total{");
    },
    15_000,
  );
  await Deno.remove(folder, { recursive: true });
  return new Map(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)]
      .map(([, name = "", type = ""]) => [name, type]),
  );
}

/** Names of metrics in an expression, those within a name matcher included. */
function metricNames(expr: string): string[] {
  const alternatives = [...expr.matchAll(/__name__=~"([^"]+)"/g)]
    .flatMap(([, names]) => names?.split("|") ?? []);
  const bare = expr
    .replaceAll(/"[^"]*"/g, "")
    .matchAll(/(?<![\w:$])((pgdog|process)_\w+|up|\w+:[\w:]+)(?!\w*\()/g);
  return [...alternatives, ...[...bare].map(([name]) => name)];
}
