import assert from "node:assert/strict";
import { mirrorStats } from "../../../plugins/mirror_stats/mod.ts";
import { prometheus } from "../../../plugins/prometheus/mod.ts";
import type { Plugin } from "../../../src/plugin/api.ts";
import { plugin } from "../../plugin/fixture.ts";
import { ANN, type Counted, counted, replay } from "../fixture.ts";

const GENERAL = { openmetrics_namespace: "pgdog_" };

function exposing(plugins: readonly Plugin[] = [], general = GENERAL): Counted {
  return counted([mirrorStats, prometheus, ...plugins], { general });
}

async function scrape({ host }: Counted): Promise<string> {
  const [route] = host.routes;
  assert.equal(route?.path, "/metrics");
  const response = await route.handle(new Request("http://localhost/metrics"));
  assert.equal(
    response.headers.get("content-type"),
    "text/plain; version=0.0.4; charset=utf-8",
  );
  return await response.text();
}

/** The samples of the text format, `name{labels}` to value; what is no sample or comment is an error. */
function samples(text: string): Map<string, number> {
  // https://prometheus.io/docs/instrumenting/exposition_formats/#text-format-details
  const label = String.raw`[a-z_]+="(?:[^"\\\n]|\\["\\n])*"`;
  const line = new RegExp(
    String.raw`^([a-z_0-9]+(?:\{${label}(?:,${label})*\})?) (\S+)$`,
  );
  const found = new Map<string, number>();
  for (const each of text.split("\n")) {
    if (each === "" || /^# (HELP|TYPE) [a-z_0-9]+ \S/.test(each)) continue;
    const [, name = "", value = ""] = each.match(line) ??
      assert.fail(`No sample: ${JSON.stringify(each)}`);
    assert.ok(!found.has(name), `${name} is there twice`);
    const parsed = value === "+Inf" ? Infinity : Number(value);
    assert.ok(!Number.isNaN(parsed), each);
    found.set(name, parsed);
  }
  return found;
}

Deno.test("prometheus: counters with their help, type, namespace and labels", async () => {
  const test = exposing();
  replay(test, ANN, { times: 3 });
  test.mirror.requestFailed(test.series(ANN), 1);
  const text = await scrape(test);
  const all = samples(text);
  const labels = 'database="shop",mirror="shop_18",user="ann"';
  assert.match(
    text,
    /^# HELP pgdog_mirror_requests_total Transactions that .*\n# TYPE pgdog_mirror_requests_total counter\n/m,
  );
  assert.equal(all.get(`pgdog_mirror_requests_total{${labels}}`), 3);
  assert.equal(
    all.get(`pgdog_mirror_requests_failed_total{${labels},reason="timeout"}`),
    1,
  );
  assert.equal(
    all.get(`pgdog_mirror_errors_total{${labels},type="timeout"}`),
    1,
  );
  assert.equal(all.get(`pgdog_mirror_lag_seconds{${labels}}`), 0.25);
  assert.equal(all.get('pgdog_plugin_errors_total{plugin="prometheus"}'), 0);
  assert.equal(all.get('pgdog_build_info{version="1.2.3"}'), 1);
});

Deno.test("prometheus: a histogram is cumulative, with +Inf, sum and count", async () => {
  const test = exposing();
  for (const seconds of [0.0001, 0.0002, 0.003, 100]) {
    test.mirror.mirrorStatement(test.series(ANN), seconds);
  }
  const text = await scrape(test);
  const all = samples(text);
  const name = "pgdog_statement_duration_seconds";
  const labels = 'database="shop",mirror="shop_18",user="ann",target="mirror"';
  assert.match(text, new RegExp(`^# TYPE ${name} histogram$`, "m"));
  const bucket = (le: string) =>
    all.get(`${name}_bucket{le="${le}",${labels}}`);
  assert.deepEqual(
    ["0.00025", "0.001", "0.005", "60.0", "+Inf"].map(bucket),
    [2, 2, 3, 3, 4],
  );
  assert.equal(all.get(`${name}_sum{${labels}}`), 100.0033);
  assert.equal(all.get(`${name}_count{${labels}}`), 4);
  const of = (target: string) =>
    [...all.keys()].filter((key) =>
      key.startsWith(`${name}_bucket`) && key.includes(`target="${target}"`)
    ).length;
  assert.equal(of("primary"), of("mirror"));
});

Deno.test("prometheus: a hostile user name is a label value and nothing more", async () => {
  const users = [
    'a"} 1\npgdog_evil_total{x="',
    "back\\slash",
    "back\\nslash",
    "line\nbreak",
    "carriage\rreturn",
    "{}#=,",
    "Ω 🐘 ‮",
    "",
  ];
  const test = exposing();
  for (const user of users) replay(test, ["shop", "shop_18", user]);
  const all = samples(await scrape(test));
  const shown = [...all.keys()]
    .map((key) => key.match(/^pgdog_mirror_requests_total\{.*user="(.*)"\}$/s))
    .flatMap((match) => match?.[1] ?? [])
    .map((escaped) =>
      escaped.replace(/\\(.)/g, (_, char) => char === "n" ? "\n" : char)
    );
  assert.deepEqual(shown, users);
});

Deno.test("prometheus: what is kept for SHOW is not exported", async () => {
  const test = exposing();
  replay(test, ANN);
  const names = [...samples(await scrape(test)).keys()];
  const internal = test.registry.snapshot().metrics
    .filter(({ spec }) => spec.internal).map(({ spec }) => spec.name);
  assert.ok(internal.includes("mirror_last_error_sqlstate"));
  for (const name of internal) {
    assert.deepEqual(names.filter((key) => key.includes(name)), []);
  }
});

Deno.test("prometheus: the namespace is the setting's, and may be empty", async () => {
  for (const openmetrics_namespace of ["", "x_"]) {
    const test = exposing([], { openmetrics_namespace });
    const all = samples(await scrape(test));
    assert.ok(all.has(`${openmetrics_namespace}build_info{version="1.2.3"}`));
    assert.ok(
      all.has(
        `${openmetrics_namespace}plugin_errors_total{plugin="prometheus"}`,
      ),
    );
  }
});

Deno.test("prometheus: the process's own metrics from its start on, and only true ones", async () => {
  const test = exposing();
  const processMetrics = async () =>
    [...samples(await scrape(test)).keys()]
      .filter((key) => /^(process|nodejs)_/.test(key));
  assert.deepEqual(await processMetrics(), []);
  await test.host.start();
  try {
    const all = samples(await scrape(test));
    assert.deepEqual((await processMetrics()).sort(), [
      "process_cpu_seconds_total",
      "process_cpu_system_seconds_total",
      "process_cpu_user_seconds_total",
      "process_heap_bytes",
      "process_max_fds",
      "process_open_fds",
      "process_resident_memory_bytes",
      "process_start_time_seconds",
      "process_virtual_memory_bytes",
    ]);
    const rss = all.get("process_resident_memory_bytes") ?? 0;
    assert.ok(Math.abs(rss - Deno.memoryUsage().rss) < 32 * 1024 * 1024);
    const started = all.get("process_start_time_seconds") ?? 0;
    assert.ok(Math.abs(started - performance.timeOrigin / 1e3) < 5);
    assert.ok((all.get("process_cpu_seconds_total") ?? 0) > 0);
    assert.ok((all.get("process_open_fds") ?? 0) > 3);
  } finally {
    await test.host.close();
  }
});

Deno.test("prometheus: a metric of a plugin's by a name that is taken does not end the exposition", async () => {
  const clash = plugin("clash", {
    create(_config, { stats }) {
      for (const name of ["build_info", "process_open_fds"]) {
        stats.declare({
          name,
          help: "A clash",
          type: "gauge",
          scope: "process",
          derive: () => -5,
        });
      }
      return {};
    },
  });
  const test = exposing([clash], { openmetrics_namespace: "" });
  await test.host.start();
  try {
    const all = samples(await scrape(test));
    assert.equal(all.get("build_info"), -5);
    assert.equal(all.get("process_open_fds"), -5);
    assert.ok(all.has("process_max_fds"));
  } finally {
    await test.host.close();
  }
});

Deno.test("prometheus: scrapes at once do not disturb each other", async () => {
  const test = exposing();
  replay(test, ANN, { times: 2 });
  const texts = await Promise.all([scrape(test), scrape(test), scrape(test)]);
  assert.equal(new Set(texts).size, 1);
});

Deno.test("prometheus: an unknown key and a number out of range are named", () => {
  assert.deepEqual(prometheus.parseConfig(undefined), { top_statements: 0 });
  assert.throws(
    () => prometheus.parseConfig({ port: 1 }),
    /\[plugins\.prometheus\].*"port"/,
  );
  assert.throws(
    () => prometheus.parseConfig({ top_statements: -1 }),
    /\[plugins\.prometheus\] top_statements /,
  );
});
