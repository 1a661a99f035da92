import assert from "node:assert/strict";
import {
  type MetricSpec,
  PluginError,
  type PluginInstance,
} from "../../src/plugin/mod.ts";
import { Registry } from "../../src/stats/mod.ts";
import { hostOf, plugin } from "./fixture.ts";

const DEPTH: MetricSpec = {
  name: "depth",
  help: "Depth",
  type: "gauge",
  scope: "process",
};

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

Deno.test("PluginHost: new tables are checked whole, then given to those who can take them", () => {
  const taken: unknown[] = [];
  const parseConfig = (raw: unknown) => {
    if ((raw as { bad?: boolean } | undefined)?.bad) throw new TypeError("bad");
    return raw;
  };
  const { host } = hostOf([
    plugin("live", {
      parseConfig,
      create: () => ({ reconfigure: (config) => taken.push(config) }),
    }),
    plugin("fixed", { parseConfig }),
  ], { config: { live: { a: 1 }, fixed: { a: 1 } } });
  const names = (error: unknown, id: string) =>
    (error as { plugin?: string }).plugin === id;
  assert.throws(
    () => host.prepare({ live: { a: 2 }, fixed: { bad: true } }),
    (error) => names(error, "fixed"),
  );
  assert.throws(
    () => host.prepare({ live: { a: 2 }, nobody: {} }),
    (error) => names(error, "nobody"),
  );
  const prepared = host.prepare({ live: { a: 2 }, fixed: { a: 2 } });
  assert.deepEqual(
    prepared.changed.map(({ id, live }) => [id, live]),
    [["live", true], ["fixed", false]],
  );
  assert.deepEqual(taken, []);
  prepared.apply();
  assert.deepEqual(taken, [{ a: 2 }]);
  // What still needs a restart is still said.
  assert.deepEqual(
    host.prepare({ live: { a: 2 }, fixed: { a: 2 } }).changed
      .map(({ id }) => id),
    ["fixed"],
  );
});
