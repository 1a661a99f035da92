import { collectDefaultMetrics, Registry } from "prom-client";
import type { Family } from "./families.ts";

/**
 * prom-client's default metrics, as far as Deno gives them true values: those of
 * the process. `nodejs_*` would be wrong: Deno's monitorEventLoopDelay does not
 * see a blocked loop (tried: 1 ms for a block of 300 ms), there are no GC
 * events, and the heap is the main thread's only, not the workers'.
 */
export class ProcessMetrics {
  readonly #registry = new Registry();

  start(): void {
    // It can't be told to leave the event loop alone; the default looks 100 times a second.
    const eventLoopMonitoringPrecision = 3_600_000;
    const register = this.#registry;
    collectDefaultMetrics({ register, eventLoopMonitoringPrecision });
    for (const { name } of register.getMetricsAsArray()) {
      if (!name.startsWith("process_")) register.removeSingleMetric(name);
    }
  }

  /** None before `start`. */
  async families(): Promise<Family[]> {
    const metrics = await this.#registry.getMetricsAsJSON();
    return metrics.map(({ name, help, values }): Family => ({
      name,
      help,
      type: name.endsWith("_total") ? "counter" : "gauge",
      series: values.map(({ labels, value }) => ({
        labels: Object.fromEntries(
          Object.entries(labels).map(([key, text]) => [key, String(text)]),
        ),
        value,
      })),
    }));
  }
}
