import assert from "node:assert/strict";
import { Alerts } from "../../../plugins/readiness/alerts.ts";
import type { Evidence } from "../../../plugins/readiness/evidence.ts";
import type { MetricSnapshot, PluginContext } from "../../../src/plugin/api.ts";

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
  let seconds = 0;
  let count = 0;
  /** A second in which a statement took so long on the mirror. */
  const look = (consecutiveErrors: number, statementMs: number | null) => {
    if (statementMs !== null) {
      seconds += statementMs / 1e3;
      count++;
    }
    const histogram = { counts: [], sum: seconds, count };
    const series = [{ labels: { target: "mirror" }, value: count, histogram }];
    const get = () => ({ series }) as unknown as MetricSnapshot;
    alerts.look(
      { consecutiveErrors } as Evidence,
      { at: 0, metrics: [], get },
    );
  };
  const gauge = (name: string) => alerts.metrics[0]?.derive?.(() => 0, name);

  look(99, null);
  assert.deepEqual(lines, []);
  assert.equal(gauge("errors"), 0);
  look(100, 10);
  look(150, 10);
  assert.deepEqual(lines, ["Consecutive errors: threshold reached"]);
  assert.equal(gauge("errors"), 1);
  assert.equal(gauge("latency"), 0);
  look(0, 15_000);
  assert.deepEqual(lines.slice(1), [
    "Consecutive errors: recovered",
    "Average latency of the mirror in ms, over a minute: threshold reached",
  ]);
  assert.equal(gauge("latency"), 1);
  // Of the last minute: what was slow an hour ago is over.
  for (let i = 0; i < 61; i++) look(0, 1);
  assert.equal(gauge("latency"), 0);
  assert.match(lines.at(-1) ?? "", /recovered/);
});
