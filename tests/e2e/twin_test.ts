import assert from "node:assert/strict";
import { hasPythonModule } from "../support/programs.ts";
import {
  assertTwin,
  runTwinShop,
  type TwinLimits,
  type TwinOptions,
} from "../support/twin_shop/mod.ts";

type Case = Pick<TwinOptions, "way" | "protocol" | "clients" | "general">;

const LOG = { mirror_values: "log" };

/** Of all clients together. */
const STEPS = 400;
/** Clients that wait for a processor would overtake each other. */
const THINK_MS = 20;

const CASES: readonly Case[] = [
  { way: "server", protocol: "extended", clients: 1 },
  { way: "server", protocol: "extended", clients: 1, general: LOG },
  { way: "server", protocol: "simple", clients: 8 },
  { way: "server", protocol: "extended", clients: 8 },
  { way: "server", protocol: "pipelined", clients: 16 },
  { way: "ids", protocol: "prepared", clients: 8 },
  { way: "ids", protocol: "psycopg", clients: 8 },
  { way: "client", protocol: "extended", clients: 1 },
  { way: "client", protocol: "prepared", clients: 8 },
];

/** Above the goal where answers do not tell the ids of jobs, and where clients wait for a processor. */
function limitsToday({ way, clients, general }: Case): Partial<TwinLimits> {
  if (general === LOG) return {};
  if (clients === 1) return way === "client" ? {} : { unequalRows: Infinity };
  return {
    errors: 2,
    mismatchShare: way === "client" ? 0.002 : 0.01,
    noiseShare: 0.05,
    orderBreaks: 10,
    unequalRows: Infinity,
  };
}

const hasPsycopg = await hasPythonModule("psycopg");

for (const one of CASES) {
  const { way, protocol, clients, general } = one;
  const values = general === LOG ? ", with the log" : "";
  Deno.test({
    name: `twin: way "${way}", ${protocol}, ${clients} clients${values}`,
    ignore: protocol === "psycopg" && !hasPsycopg,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      const run = await runTwinShop({
        ...one,
        stepsPerClient: Math.ceil(STEPS / clients),
        thinkMs: clients === 1 ? 0 : THINK_MS,
      });
      assertTwin(run, limitsToday(one));
    },
  });
}

const DEFECT = "update products set price = price + 1 where sku = 'sku 7'";

Deno.test({
  name: "twin: a row that differs on the mirror is above the limit",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const run = await runTwinShop({
      way: "client",
      protocol: "extended",
      clients: 1,
      stepsPerClient: 50,
      defect: DEFECT,
    });
    assert.throws(() => assertTwin(run), /unequalRows: 1\b/);
    const products = run.tables.find(({ table }) => table === "products");
    assert.deepEqual(products?.columns, { price: 1 });
    assert.deepEqual(run.causes, []);
  },
});

Deno.test({
  name: "twin: beside what the mirror is not told such a row is NOT READY",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const run = await defectiveShop();
    assert.equal(run.headline, "NOT READY");
  },
});

Deno.test({
  name:
    "twin: values of the mirror's own are named as causes, and for the tables that they concern",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const run = await defectiveShop({ mirror_values: "own" });
    // Orders that are other rows there have sold other products, but for the first.
    assert.notEqual(run.headline, "READY");
    const causes = run.causes.join("\n");
    // Clients send the mirror tokens and ids that the primary has made; which differ most is chance.
    assert.match(
      causes,
      /^(?:sequence|default)_drift of table public\.\w+, column (?:id|token)\b/,
    );
    assert.match(causes, /mirror_values = "answers"/);
    assert.doesNotMatch(causes, /public\.products/);
  },
});

async function defectiveShop(general: TwinOptions["general"] = {}) {
  return await runTwinShop({
    way: "server",
    protocol: "extended",
    clients: 8,
    stepsPerClient: STEPS / 8,
    thinkMs: THINK_MS,
    general,
    defect: DEFECT,
  });
}
