import assert from "node:assert/strict";
import {
  type MetricSpec,
  PluginError,
  type PluginInstance,
} from "../../src/plugin/mod.ts";
import { Registry, Stripe } from "../../src/stats/mod.ts";
import { PROBE_ERRORS } from "../../src/plugin/probe_set.ts";
import { waitFor } from "../support/wait.ts";
import { hostOf, plugin } from "./fixture.ts";

const DEPTH: MetricSpec = {
  name: "depth",
  help: "Depth",
  type: "gauge",
  scope: "process",
};
const DEADLINE_MS = 5_000;

Deno.test("PluginHost: each plugin gets its own table and the shared context", () => {
  const seen: unknown[] = [];
  const general = { openmetrics_namespace: "x_" };
  const mirrors = [{ database: "shop", mirror: "new" }];
  hostOf([
    plugin("one", {
      parseConfig: (raw) => ({ parsed: raw }),
      create(config, context) {
        const { version, startedAt } = context;
        seen.push(config, context.general, context.mirrors, version, startedAt);
        return {};
      },
    }),
    plugin("two", { create: (config) => (seen.push(config), {}) }),
  ], { config: { one: { a: 1 } }, general, mirrors });
  assert.deepEqual(seen, [
    { parsed: { a: 1 } },
    general,
    mirrors,
    "1.2.3",
    1_000,
    undefined,
  ]);
});

Deno.test("PluginHost: what can't be created stops the start with the plugin's name", async (t) => {
  const fails = (message: string) => () => {
    throw new TypeError(message);
  };
  const cases: readonly [string, () => unknown, RegExp][] = [
    ["an id that is no name", () => hostOf([plugin("a-b")]), /"a-b" is ill-/],
    [
      "two of one id",
      () => hostOf([plugin("a"), plugin("a")]),
      /Two plugins have the id "a"/,
    ],
    [
      "a table without a plugin",
      () => hostOf([plugin("a")], { config: { b: {} } }),
      /\[plugins\.b\] is for no plugin that is loaded \(a\)/,
    ],
    [
      "a bad table",
      () => hostOf([plugin("a", { parseConfig: fails("no key x") })]),
      /Plugin "a": no key x/,
    ],
    [
      "a constructor that throws",
      () => hostOf([plugin("a", { create: fails("boom") })]),
      /Plugin "a": boom/,
    ],
    [
      "a constructor that throws no Error",
      () =>
        hostOf([plugin("a", {
          create: () => {
            throw "text";
          },
        })]),
      /Plugin "a": text/,
    ],
    [
      "an ill-formed metric",
      () =>
        hostOf([plugin("a", {
          create(_config, { stats }) {
            stats.declare({ ...DEPTH, help: "" });
            return {};
          },
        })]),
      /Plugin "a": Metric "depth" has no help text/,
    ],
    [
      "a metric that nobody declares",
      () => hostOf([plugin("a", { needs: ["depth"] })]),
      /Plugin "a" needs the metric "depth", which no loaded plugin declares/,
    ],
  ];
  for (const [name, run, message] of cases) {
    await t.step(name, () => {
      assert.throws(
        run,
        (error) => error instanceof PluginError && message.test(error.message),
      );
    });
  }
});

Deno.test("PluginHost: a needed metric may come from a later plugin or from the program", () => {
  const registry = new Registry();
  registry.declare({ ...DEPTH, name: "clients" });
  hostOf([
    plugin("reads", { needs: ["clients", "depth"] }),
    plugin("declares", {
      create(_config, { stats }) {
        stats.declare(DEPTH);
        return {};
      },
    }),
  ], { registry });
});

Deno.test("PluginHost: metrics are declared in create or never", () => {
  let declare: ((spec: MetricSpec) => void) | undefined;
  hostOf([plugin("late", {
    create(_config, { stats }) {
      declare = stats.declare;
      return {};
    },
  })]);
  assert.throws(
    () => declare?.(DEPTH),
    /Metric "depth" is declared outside create/,
  );
});

/** A timer or promise that is left behind fails the test. */
const TIDY = { sanitizeOps: true, sanitizeResources: true };

Deno.test(
  "PluginHost: starts in order, closes in reverse, once",
  TIDY,
  async () => {
    const calls: string[] = [];
    const recorder = (id: string) =>
      plugin(id, {
        create: () => ({
          start: (signal) => {
            calls.push(`start ${id} ${signal.aborted}`);
            return Promise.resolve();
          },
          close: () => {
            calls.push(`close ${id}`);
            return Promise.resolve();
          },
        }),
      });
    const { host } = hostOf([recorder("a"), recorder("b")]);
    assert.deepEqual(host.status.map(({ state }) => state), [
      "created",
      "created",
    ]);
    await host.start();
    assert.deepEqual(host.status.map(({ state }) => state), [
      "started",
      "started",
    ]);
    await Promise.all([host.close(), host.close()]);
    await host.close();
    assert.deepEqual(calls, [
      "start a false",
      "start b false",
      "close b",
      "close a",
    ]);
    assert.deepEqual(host.status.map(({ state }) => state), [
      "closed",
      "closed",
    ]);
  },
);

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

Deno.test(
  "PluginHost: close in the middle of start closes all and starts no more",
  TIDY,
  async () => {
    const calls: string[] = [];
    const gate = Promise.withResolvers<void>();
    const recorder = (id: string): PluginInstance => ({
      start: () => {
        calls.push(`start ${id}`);
        return id === "a" ? gate.promise : Promise.resolve();
      },
      onSample: () => calls.push(`sample ${id}`),
      close: () => {
        calls.push(`close ${id}`);
        return Promise.resolve();
      },
    });
    const { host } = hostOf([
      plugin("a", { create: () => recorder("a") }),
      plugin("b", { create: () => recorder("b") }),
    ], { sampleMs: 1 });
    const starting = host.start();
    await host.close();
    gate.resolve();
    await starting;
    assert.deepEqual(calls, ["start a", "close b", "close a"]);
    assert.deepEqual(host.status.map(({ state }) => state), [
      "closed",
      "closed",
    ]);
  },
);

Deno.test(
  "PluginHost: close in the middle of the last start begins no sampling",
  TIDY,
  async () => {
    const gate = Promise.withResolvers<void>();
    const { host } = hostOf([
      plugin("a", { create: () => ({ start: () => gate.promise }) }),
    ]);
    const starting = host.start();
    await host.close();
    gate.resolve();
    await starting;
  },
);

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

Deno.test("PluginHost.probes: the modules in the plugins' order, none with metrics off", () => {
  const plugins = [
    plugin("a", { probe: new URL("file:///a.ts") }),
    plugin("b"),
    plugin("c", { probe: new URL("file:///c.ts") }),
  ];
  assert.deepEqual(hostOf(plugins).host.probes, [
    "file:///a.ts",
    "file:///c.ts",
  ]);
  const general = { mirror_metrics_enabled: false };
  assert.deepEqual(hostOf(plugins, { general }).host.probes, []);
});

Deno.test("PluginHost: without plugins it has nothing to do", async () => {
  const { host, registry } = hostOf([]);
  registry.freeze({ stripes: 1 });
  await host.start();
  assert.deepEqual(registry.snapshot().metrics, []);
  assert.deepEqual(
    [host.status, host.commands, host.routes, host.probes],
    [[], [], [], []],
  );
  await host.close();
});
