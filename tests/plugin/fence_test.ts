import assert from "node:assert/strict";
import { PROBE_ERRORS } from "../../src/plugin/probe_set.ts";
import { type MetricSpec, Stripe } from "../../src/stats/mod.ts";
import { waitFor } from "../support/wait.ts";
import { hostOf, plugin } from "./fixture.ts";

const DEPTH: MetricSpec = {
  name: "depth",
  help: "Depth",
  type: "gauge",
  scope: "process",
};
const DEADLINE_MS = 5_000;

Deno.test("PluginHost: a start that fails is named and counted, and the others start", async () => {
  const { host, registry, logs } = hostOf([
    plugin("bad", {
      create: () => ({ start: () => Promise.reject(new Error("no disk")) }),
    }),
    plugin("worse", {
      create: () => ({
        start: () => {
          throw new Error("at once");
        },
      }),
    }),
    plugin("good"),
  ]);
  registry.freeze({ stripes: 1 });
  await host.start();
  assert.deepEqual(
    host.status.map(({ id, state, errors, lastError }) => [
      id,
      state,
      errors,
      lastError,
    ]),
    [
      ["bad", "failed", 1, "start: no disk"],
      ["worse", "failed", 1, "start: at once"],
      ["good", "started", 0, null],
    ],
  );
  assert.deepEqual(logs, [
    'error bad: A plugin has thrown {"plugin":"bad","hook":"start","error":"no disk"}',
    'error worse: A plugin has thrown {"plugin":"worse","hook":"start","error":"at once"}',
  ]);
  assert.deepEqual(
    registry.snapshot().get("plugin_errors_total")?.series
      .map(({ labels, value }) => [labels.plugin, value]),
    [["bad", 1], ["worse", 1], ["good", 0]],
  );
  await host.close();
});

Deno.test("PluginHost: a start or close that hangs holds nobody up", async () => {
  const never = new Promise<void>(() => {});
  const { host } = hostOf([
    plugin("hangs", {
      create: () => ({ start: () => never, close: () => never }),
    }),
    plugin("good"),
  ], { hookTimeoutMs: 1 });
  await host.start();
  assert.deepEqual(host.status.map(({ state }) => state), [
    "failed",
    "started",
  ]);
  assert.equal(host.status[0]?.lastError, "start: Has not ended after 1 ms");
  await host.close();
  assert.equal(host.status[0]?.lastError, "close: Has not ended after 1 ms");
});

Deno.test("PluginHost: samples go on when one of the plugins throws", async () => {
  let samples = 0;
  const { host, registry, logs } = hostOf([
    plugin("throws", {
      create: () => ({
        onSample() {
          throw new Error("bad sum");
        },
      }),
    }),
    plugin("rejects", {
      create: () => ({
        // An async function passes for a void function.
        onSample: () => Promise.reject(new Error("bad day")) as unknown as void,
      }),
    }),
    plugin("failed", {
      create: () => ({
        start: () => Promise.reject(new Error("no start")),
        onSample() {
          throw new Error("must not be called");
        },
      }),
    }),
    plugin("counts", {
      create: () => ({
        onSample: (snapshot) => {
          if (snapshot.get("plugin_errors_total")) samples++;
        },
      }),
    }),
  ], { sampleMs: 1 });
  registry.freeze({ stripes: 1 });
  await host.start();
  await waitFor("three samples", () => samples >= 3, DEADLINE_MS);
  await host.close();
  const errors = Object.fromEntries(
    host.status.map(({ id, errors }) => [id, errors]),
  );
  assert.ok(
    (errors.throws ?? 0) >= 3 && (errors.rejects ?? 0) >= 2,
    `${errors}`,
  );
  assert.equal(errors.failed, 1);
  assert.equal(errors.counts, 0);
  // Each is logged once, not once a second.
  assert.deepEqual(logs.map((line) => line.split(":")[0]), [
    "error failed",
    "error throws",
    "error rejects",
  ]);
});

Deno.test("PluginHost.commands: what a command throws is counted and goes to the console", () => {
  const { host } = hostOf([plugin("a", {
    create: () => ({
      commands: [
        {
          words: "SHOW GOOD",
          help: "Good",
          columns: [{ name: "n", type: "int8", help: "N" }],
          rows: () => [[1]],
        },
        {
          words: "SHOW BAD",
          help: "Bad",
          columns: [],
          rows() {
            throw new Error("no rows");
          },
        },
      ],
    }),
  })]);
  const [good, bad] = host.commands;
  assert.deepEqual([good?.words, good?.help, good?.columns, good?.rows()], [
    "SHOW GOOD",
    "Good",
    [{ name: "n", type: "int8", help: "N" }],
    [[1]],
  ]);
  assert.throws(() => bad?.rows(), /no rows/);
  assert.equal(host.status[0]?.lastError, "SHOW BAD: no rows");
  assert.equal(host.status[0]?.errors, 1);
});

Deno.test("PluginHost.routes: what a route throws is counted and goes to the server", async () => {
  const { host } = hostOf([plugin("a", {
    create: () => ({
      routes: [
        { path: "/good", handle: () => new Response("yes") },
        {
          path: "/bad",
          handle() {
            throw new Error("at once");
          },
        },
        { path: "/late", handle: () => Promise.reject(new Error("later")) },
      ],
    }),
  })]);
  const request = new Request("http://localhost/");
  const [good, bad, late] = host.routes;
  assert.equal(good?.path, "/good");
  assert.equal(await (await good?.handle(request))?.text(), "yes");
  await assert.rejects(async () => await bad?.handle(request), /at once/);
  assert.equal(host.status[0]?.lastError, "/bad: at once");
  await assert.rejects(async () => await late?.handle(request), /later/);
  assert.equal(host.status[0]?.errors, 2);
});

Deno.test("PluginHost: a derived metric that throws is NaN, and every other is there", () => {
  const { host, registry } = hostOf([plugin("a", {
    create(_config, { stats }) {
      stats.declare(DEPTH);
      stats.declare({
        ...DEPTH,
        name: "broken",
        derive() {
          throw new Error("divided");
        },
      });
      stats.declare({ ...DEPTH, name: "fine", derive: (get) => get("depth") });
      return {};
    },
  })]);
  const stripe = new Stripe(registry.freeze({ stripes: 1 }), 0);
  stripe.cells[stripe.process + stripe.offset("depth")] = 3;
  const snapshot = registry.snapshot();
  assert.equal(snapshot.get("broken")?.series[0]?.value, NaN);
  assert.equal(snapshot.get("fine")?.series[0]?.value, 3);
  assert.equal(host.status[0]?.lastError, "derive broken: divided");
});

Deno.test("PluginHost: what probes throw in the workers is the plugin's too", () => {
  const probe = new URL("file:///probe.ts");
  const { host, registry } = hostOf([
    plugin("silent"),
    plugin("first", { probe }),
    plugin("second", { probe }),
  ]);
  const layout = registry.freeze({ stripes: 2 });
  for (const index of [0, 1]) {
    const stripe = new Stripe(layout, index);
    // The order of the label's values is that of the probe modules.
    stripe.cells[stripe.process + stripe.offset(PROBE_ERRORS) + 1] = 1;
  }
  assert.deepEqual(
    registry.snapshot().get("plugin_errors_total")?.series
      .map(({ labels, value }) => `${labels.plugin} ${value}`),
    ["silent 0", "first 0", "second 2"],
  );
  assert.deepEqual(
    host.status.map(({ id, errors, lastError }) => [id, errors, lastError]),
    [
      ["silent", 0, null],
      ["first", 0, null],
      ["second", 2, "probe: it is off in a worker, see the log"],
    ],
  );
});

Deno.test("PluginHost: a derived metric is asked for each of its label sets", () => {
  const { registry } = hostOf([
    plugin("pairs", {
      create: (_config, { stats }) => {
        stats.declare({
          ...DEPTH,
          sets: [{ mirror: "a" }, { mirror: "b" }],
          derive: (_get, _label, set) => set?.mirror === "b" ? 2 : 1,
        });
        return {};
      },
    }),
  ]);
  registry.freeze({ stripes: 1 });
  assert.deepEqual(
    registry.snapshot().get("depth")?.series.map(({ value }) => value),
    [1, 2],
  );
});
