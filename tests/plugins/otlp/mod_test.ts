import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { mirrorStats } from "../../../plugins/mirror_stats/mod.ts";
import { otlp } from "../../../plugins/otlp/mod.ts";
import type { MetricSnapshot } from "../../../src/plugin/api.ts";
import { readModules } from "../../../tools/module_graph.ts";
import { freePort } from "../../support/proxy.ts";
import { waitFor } from "../../support/wait.ts";
import {
  ANN,
  BOB,
  type Counted,
  counted,
  replay,
  value,
  WEB,
} from "../fixture.ts";
import { Collector, type OtlpMetric, record } from "./collector.ts";

/** Two workers that count, and an export every 100 ms. */
async function exporting(
  endpoint: string,
  more: Record<string, unknown> = {},
): Promise<Counted & AsyncDisposable> {
  const test = counted([mirrorStats, otlp], {
    config: {
      otlp: { endpoint, interval_ms: 100, timeout_ms: 100, ...more },
    },
    general: { openmetrics_namespace: "pgdog_", host: "0.0.0.0", port: 6432 },
  });
  await test.host.start();
  return { ...test, [Symbol.asyncDispose]: () => test.host.close() };
}

const errors = (test: Counted) => value(test, "otlp_export_errors_total");
const failures = (test: Counted) =>
  test.logs.filter((line) => line.includes("Export failed"));

/** The SDK's HTTP client keeps a connection, and its timers, beyond an export. */
const LOOSE = { sanitizeOps: false, sanitizeResources: false };

Deno.test({
  name: "otlp: a collector gets the registry's snapshot, number by number",
  ...LOOSE,
  async fn() {
    await using collector = new Collector();
    await using test = await exporting(collector.endpoint);
    replay(test, ANN, { times: 3 });
    replay(test, BOB, { errorsOnMirror: 1 });
    replay(test, WEB, { latencySeconds: 100 });
    test.mirror.requestFailed(test.series(ANN), 1);
    const before = collector.payloads.length;
    await waitFor(
      "an export of all of it",
      () => collector.payloads.length > before + 1,
      10_000,
    );
    // Exports are counted in the registry, too: of those two the rest may differ.
    const ours = test.registry.snapshot().metrics.filter(({ spec }) =>
      spec.internal !== true && !spec.name.startsWith("otlp_")
    );
    assert.ok(ours.length > 15);
    for (const metric of ours) {
      const theirs = collector.last.get(`pgdog_${metric.spec.name}`);
      assert.ok(theirs, metric.spec.name);
      assertEqual(theirs, metric);
    }
    const internal = test.registry.snapshot().metrics
      .filter(({ spec }) => spec.internal === true);
    for (const { spec } of internal) {
      assert.ok(!collector.last.has(`pgdog_${spec.name}`), spec.name);
    }
  },
});

function assertEqual(
  { sum, gauge, histogram, description, unit }: OtlpMetric,
  { spec, series }: MetricSnapshot,
): void {
  const { name, type } = spec;
  assert.equal(description, spec.help);
  assert.equal(unit, /_seconds(_total)?$/.test(name) ? "s" : unit, name);
  const points = (sum ?? gauge ?? histogram)?.dataPoints ?? [];
  assert.deepEqual(
    points.map(({ attributes }) => record(attributes)),
    series.map(({ labels }) => labels),
    name,
  );
  assert.equal(type === "counter", sum !== undefined, name);
  assert.equal(type === "histogram", histogram !== undefined, name);
  if (type === "histogram") {
    assert.equal(histogram?.aggregationTemporality, 2, "cumulative");
    assert.deepEqual(
      histogram?.dataPoints.map((point) => [
        point.explicitBounds,
        { counts: point.bucketCounts, sum: point.sum, count: point.count },
      ]),
      series.map((one) => [spec.buckets, one.histogram]),
      name,
    );
    return;
  }
  if (sum !== undefined) {
    assert.equal(sum.isMonotonic, true, name);
    assert.equal(sum.aggregationTemporality, 2, "cumulative");
    // The fixture's host started at 1000 ms.
    assert.ok(points.every((p) => p.startTimeUnixNano === "1000000000"));
  }
  assert.deepEqual(
    (sum ?? gauge)?.dataPoints.map(({ asDouble }) => asDouble),
    series.map(({ value }) => value),
    name,
  );
}

Deno.test({
  name: "otlp: says who it is, and sends the configured headers",
  ...LOOSE,
  async fn() {
    await using collector = new Collector();
    await using test = await exporting(collector.endpoint, {
      headers: { "x-api-key": "sesame" },
    });
    await waitFor("an export", () => collector.payloads.length > 0, 10_000);
    const [resource] = collector.payloads[0]?.resourceMetrics ?? [];
    assert.deepEqual(record(resource?.resource.attributes ?? []), {
      "service.name": "pgdog-mirror",
      "service.version": "1.2.3",
      "service.instance.id": `${Deno.hostname()}:0.0.0.0:6432`,
    });
    assert.equal(collector.headers[0]?.get("x-api-key"), "sesame");
    await waitFor(
      "it to be counted",
      () => value(test, "otlp_exports_total") > 0,
      10_000,
    );
    assert.deepEqual(test.logs, []);
  },
});

Deno.test({
  name: "otlp: a collector that is away is counted, said once, and found again",
  ...LOOSE,
  async fn() {
    const port = freePort();
    await using test = await exporting(`http://127.0.0.1:${port}/v1/metrics`);
    await waitFor("three failures", () => errors(test) >= 3, 10_000);
    assert.equal(failures(test).length, 1, test.logs.join("\n"));
    const server = Deno.serve(
      { hostname: "127.0.0.1", port, onListen() {} },
      () => new Response("{}"),
    );
    try {
      await waitFor(
        "an export",
        () => value(test, "otlp_exports_total") > 0,
        10_000,
      );
      assert.ok(test.logs.some((line) => line.includes("Exporting again")));
    } finally {
      await server.shutdown();
    }
  },
});

for (
  const [what, status] of [["answers 500", 500], ["never answers", 0]] as const
) {
  Deno.test({
    name:
      `otlp: a collector that ${what} is counted, and one request at a time`,
    ...LOOSE,
    async fn() {
      await using collector = new Collector();
      collector.status = status;
      const test = await exporting(collector.endpoint);
      await waitFor("three failures", () => errors(test) >= 3, 10_000);
      assert.equal(failures(test).length, 1, test.logs.join("\n"));
      assert.ok(collector.requests <= errors(test) + 1);
      await test.host.close();
      assert.equal(value(test, "plugin_errors_total"), 0);
    },
  });
}

Deno.test({
  name: "otlp: the end exports once more",
  ...LOOSE,
  async fn() {
    await using collector = new Collector();
    const test = await exporting(collector.endpoint, {
      interval_ms: 3_600_000,
    });
    replay(test, ANN, { times: 7 });
    await test.host.close();
    const sum = collector.last.get("pgdog_mirror_requests_total")?.sum;
    assert.deepEqual(sum?.dataPoints.map(({ asDouble }) => asDouble), [7]);
  },
});

Deno.test("otlp: without its table there is nothing, not even a metric", async () => {
  const test = counted([mirrorStats, otlp]);
  await test.host.start();
  await test.host.close();
  assert.ok(!test.registry.has("otlp_export_errors_total"));
});

Deno.test("otlp: OpenTelemetry is loaded by a dynamic import only", async () => {
  const root = fileURLToPath(new URL("../../..", import.meta.url));
  const modules = await readModules(root, ["main.ts", "src", "plugins"]);
  const byPath = new Map(modules.map((module) => [module.path, module]));
  const reached = new Set<string>();
  const packages = new Set<string>();
  const visit = (path: string) => {
    if (reached.has(path)) return;
    reached.add(path);
    for (const edge of byPath.get(path)?.imports ?? []) {
      // main.ts loads all there is, once it listens for signals.
      if (edge.typeOnly || edge.dynamic && path !== "main.ts") continue;
      if (edge.path === undefined) packages.add(edge.specifier);
      else visit(edge.path);
    }
  };
  visit("main.ts");
  assert.ok(reached.has("plugins/otlp/mod.ts"));
  assert.ok(packages.has("prom-client"));
  assert.deepEqual([...packages].filter((p) => p.includes("telemetry")), []);
});

Deno.test("otlp: its configuration's problems are named", () => {
  const endpoint = "http://127.0.0.1:4318/v1/metrics";
  assert.equal(otlp.parseConfig(undefined), undefined);
  assert.deepEqual(otlp.parseConfig({ endpoint }), {
    endpoint,
    interval_ms: 60_000,
    timeout_ms: 10_000,
    headers: {},
  });
  const wrong: readonly [unknown, RegExp][] = [
    [{}, /endpoint/],
    [{ endpoint: "collector:4318" }, /endpoint/],
    [{ endpoint: "file:///etc/passwd" }, /endpoint/],
    [{ endpoint, url: "" }, /"url"/],
    [{ endpoint, interval_ms: 5_000 }, /timeout_ms must not be above/],
    [{ endpoint, headers: { "a b": "c" } }, /headers/],
    [{ endpoint, headers: { a: 1 } }, /headers\.a/],
  ];
  for (const [raw, message] of wrong) {
    assert.throws(() => otlp.parseConfig(raw), message);
  }
});
