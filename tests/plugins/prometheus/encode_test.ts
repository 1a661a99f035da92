import assert from "node:assert/strict";
import { encode } from "../../../plugins/prometheus/encode.ts";
import type { Family } from "../../../plugins/prometheus/families.ts";

const gauge = (
  name: string,
  value: number,
  labels: Record<string, string> = {},
): Family => ({
  name,
  help: "Some help",
  type: "gauge",
  series: [{ labels, value }],
});

const ALL: readonly Family[] = [
  {
    name: "x_waits_seconds_total",
    help: 'Time of "waits"\nin a \\',
    type: "counter",
    series: [{ labels: { user: "ann" }, value: 1.5 }],
  },
  {
    name: "x_took_seconds",
    help: "Time",
    type: "histogram",
    buckets: [0.00025, 1, 30],
    series: [{
      labels: { user: "ann" },
      value: 4,
      histogram: { counts: [1, 0, 2, 1], sum: 100.5, count: 4 },
    }],
  },
  {
    name: "x_build_info",
    help: "Version",
    type: "info",
    series: [{ labels: { version: "1.2.3" }, value: 1 }],
  },
  {
    name: "x_state",
    help: "State",
    type: "stateset",
    stateLabel: "state",
    series: [
      { labels: { state: "READY" }, value: 0 },
      { labels: { state: "NOT READY" }, value: 1 },
    ],
  },
];

Deno.test("encode: Prometheus' text format", () => {
  assert.equal(
    encode(ALL, "text"),
    String.raw`# HELP x_waits_seconds_total Time of "waits"\nin a \\
# TYPE x_waits_seconds_total counter
x_waits_seconds_total{user="ann"} 1.5
# HELP x_took_seconds Time
# TYPE x_took_seconds histogram
x_took_seconds_bucket{le="0.00025",user="ann"} 1
x_took_seconds_bucket{le="1.0",user="ann"} 1
x_took_seconds_bucket{le="30.0",user="ann"} 3
x_took_seconds_bucket{le="+Inf",user="ann"} 4
x_took_seconds_sum{user="ann"} 100.5
x_took_seconds_count{user="ann"} 4
# HELP x_build_info Version
# TYPE x_build_info gauge
x_build_info{version="1.2.3"} 1
# HELP x_state State
# TYPE x_state gauge
x_state{state="READY"} 0
x_state{state="NOT READY"} 1
`,
  );
});

Deno.test("encode: OpenMetrics, with units, an info, a state set and its end", () => {
  assert.equal(
    encode(ALL, "openmetrics"),
    String.raw`# TYPE x_waits_seconds counter
# UNIT x_waits_seconds seconds
# HELP x_waits_seconds Time of \"waits\"\nin a \\
x_waits_seconds_total{user="ann"} 1.5
# TYPE x_took_seconds histogram
# UNIT x_took_seconds seconds
# HELP x_took_seconds Time
x_took_seconds_bucket{le="0.00025",user="ann"} 1
x_took_seconds_bucket{le="1.0",user="ann"} 1
x_took_seconds_bucket{le="30.0",user="ann"} 3
x_took_seconds_bucket{le="+Inf",user="ann"} 4
x_took_seconds_sum{user="ann"} 100.5
x_took_seconds_count{user="ann"} 4
# TYPE x_build info
# HELP x_build Version
x_build_info{version="1.2.3"} 1
# TYPE x_state stateset
# HELP x_state State
x_state{x_state="READY",state="READY"} 0
x_state{x_state="NOT READY",state="NOT READY"} 1
# EOF
`,
  );
});

Deno.test("encode: values that are no finite number", () => {
  const lines = (families: readonly Family[]) =>
    encode(families, "text").split("\n").filter((line) => /^x/.test(line));
  assert.deepEqual(
    lines([gauge("x_a", NaN), gauge("x_b", Infinity), gauge("x_c", -Infinity)]),
    ["x_a NaN", "x_b +Inf", "x_c -Inf"],
  );
  const counter = (name: string, value: number): Family => ({
    ...gauge(name, value),
    type: "counter",
  });
  assert.deepEqual(
    lines([counter("x_total", NaN), counter("x_y_total", -1)]),
    [],
    "a counter is not NaN and not negative in OpenMetrics",
  );
});

Deno.test("encode: of two families of one name the first is there", () => {
  const counter: Family = { ...gauge("x_total", 1), type: "counter" };
  for (const format of ["text", "openmetrics"] as const) {
    const text = encode([counter, gauge("x", 2)], format);
    assert.match(text, /^x_total 1$/m);
    assert.doesNotMatch(text, /^x 2$/m);
  }
});
