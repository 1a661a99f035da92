/**
 * Writing `/metrics` with about a thousand series (`plugins/prometheus`): the
 * registry's own, for as many users as it takes, in both formats. Beside it
 * prom-client with as many, and joining lines that are written already.
 *
 * Not measured: HTTP, and the metrics of the process. The series of one user
 * more cost in `stats_bench.ts`; the processor time of a scrape of a proxy at
 * work is in `load/scrape.ts`.
 *
 * ```
 * deno bench -A --no-check bench/exposition_bench.ts
 * ```
 *
 * @module
 */

import { Counter, Registry as PromRegistry } from "prom-client";
import { METRICS } from "../plugins/mirror_stats/metrics.ts";
import { encode } from "../plugins/prometheus/encode.ts";
import { registryFamilies } from "../plugins/prometheus/families.ts";
import { Registry, Stripe } from "../src/stats/mod.ts";

const SERIES = 1_000;
const NAMESPACE = "pgdog_";

const registry = new Registry();
for (const spec of METRICS) registry.declare(spec);
const stripe = new Stripe(registry.freeze({ stripes: 3 }), 0);

/** Lines that are no comments: each is a series. */
function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line !== "" && line[0] !== "#");
}

function exposition(format: "text" | "openmetrics"): string {
  return encode(registryFamilies(registry.snapshot(), NAMESPACE), format);
}

let lines: string[] = [];
for (let user = 0; lines.length < SERIES; user++) {
  const series = stripe.series(["shop", "shop_18", `user${user}`]);
  const durations = stripe.histogram("statement_duration_seconds");
  for (let i = 0; i < 100; i++) durations.observe(series, i / 1_000);
  lines = linesOf(exposition("text"));
}

const prom = new PromRegistry();
const counter = new Counter({
  name: "pgdog_mirror_requests_total",
  help: "Transactions that finished on the primary",
  labelNames: ["database", "mirror", "user"],
  registers: [prom],
});
for (let i = 0; i < lines.length; i++) {
  counter.inc({ database: "shop", mirror: "shop_18", user: `user${i}` });
}

const snapshot = registry.snapshot();
const group = `exposition: ${lines.length} series`;
/** What nobody reads is not computed. */
let seen = 0;

Deno.bench({
  name: "join the lines",
  group,
  baseline: true,
  fn() {
    seen += lines.join("\n").length;
  },
});

Deno.bench("prom-client, a counter", { group }, async () => {
  seen += (await prom.metrics()).length;
});

Deno.bench("Registry.snapshot alone", { group }, () => {
  seen += registry.snapshot().metrics.length;
});

Deno.bench("encode alone, labels new", { group }, () => {
  const families = registryFamilies(snapshot, NAMESPACE).map((family) => ({
    ...family,
    series: family.series.map((one) => ({ ...one, labels: { ...one.labels } })),
  }));
  seen += encode(families, "text").length;
});

for (const format of ["text", "openmetrics"] as const) {
  Deno.bench(`snapshot and encode, ${format}`, { group }, () => {
    seen += exposition(format).length;
  });
}

addEventListener("unload", () => {
  if (seen === 0) throw new Error("Nothing was written");
});
