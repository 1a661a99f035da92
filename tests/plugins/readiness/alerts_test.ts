import assert from "node:assert/strict";
import { Alerts } from "../../../plugins/readiness/alerts.ts";
import type { Evidence } from "../../../plugins/readiness/evidence.ts";
import type { PluginContext } from "../../../src/plugin/api.ts";

Deno.test("Alerts: one line when a threshold is reached, one when it is left", () => {
  const lines: string[] = [];
  const write = (message: string) => lines.push(message);
  const alerts = new Alerts({
    general: {
      mirror_error_threshold: 100,
      mirror_latency_threshold_ms: 5_000,
    },
    log: { debug: write, info: write, warn: write, error: write },
  } as unknown as PluginContext);
  const look = (consecutiveErrors: number, mirrorMeanMs: number | null) =>
    alerts.look({ consecutiveErrors, mirrorMeanMs } as Evidence);
  const gauge = (name: string) => alerts.metrics[0]?.derive?.(() => 0, name);

  look(99, null);
  assert.deepEqual(lines, []);
  assert.equal(gauge("errors"), 0);
  look(100, 10);
  look(150, 10);
  assert.deepEqual(lines, ["Consecutive errors: threshold reached"]);
  assert.equal(gauge("errors"), 1);
  assert.equal(gauge("latency"), 0);
  look(0, 5_000);
  assert.deepEqual(lines.slice(1), [
    "Consecutive errors: recovered",
    "Average latency of the mirror in ms: threshold reached",
  ]);
  assert.equal(gauge("latency"), 1);
});
