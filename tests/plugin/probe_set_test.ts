import assert from "node:assert/strict";
import type { Probe } from "../../src/plugin/api.ts";
import {
  loadProbes,
  PROBE_ERRORS,
  ProbeSet,
} from "../../src/plugin/probe_set.ts";
import { Registry, Stripe } from "../../src/stats/mod.ts";

/** Every hook, called with arguments of its own. */
const CALLS: readonly [keyof Probe, readonly (number | string)[]][] = [
  ["requestSeen", [1]],
  ["requestExcluded", [2, 3]],
  ["requestDropped", [4, 5]],
  ["requestFailed", [6, 7]],
  ["requestReplayed", [8, 9, 10, 11, 24]],
  ["primaryStatement", [12, 13]],
  ["mirrorStatement", [14, 15]],
  ["errorOnMirror", [16, "42P01"]],
  ["statementCompared", [17, 18, 19]],
  ["orderBroken", [23]],
  ["rowsGiven", [23, 2]],
  ["rowsTaken", [23, 3]],
  ["logMissed", [25]],
  ["queue", [20, 21, 22]],
];

function call(probes: ProbeSet, hook: keyof Probe, args: readonly unknown[]) {
  (probes[hook] as (...args: readonly unknown[]) => void)(...args);
}

/** A probe that tells of every call. */
function recorder(name: string, calls: unknown[]): Probe {
  return Object.fromEntries(
    CALLS.map(([hook]) => [
      hook,
      (...args: unknown[]) => calls.push([name, hook, ...args]),
    ]),
  );
}

function unexpected(module: string, error: unknown): never {
  throw new Error(`${module} has failed: ${error}`);
}

Deno.test("ProbeSet: every hook reaches every probe, in order, with its arguments", () => {
  const calls: unknown[] = [];
  const probes = new ProbeSet([
    { module: "a", probe: recorder("a", calls) },
    { module: "silent", probe: {} },
    { module: "b", probe: recorder("b", calls) },
  ], unexpected);
  for (const [hook, args] of CALLS) call(probes, hook, args);
  assert.deepEqual(
    calls,
    CALLS.flatMap(([hook, args]) => [["a", hook, ...args], [
      "b",
      hook,
      ...args,
    ]]),
  );
  const hooks = Object.getOwnPropertyNames(ProbeSet.prototype);
  assert.deepEqual(
    CALLS.map(([hook]) => hook).sort(),
    hooks.filter((name) => name !== "constructor").sort(),
    "a hook is missing in this test",
  );
});

Deno.test("ProbeSet: without a listener a call does nothing", () => {
  const probes = new ProbeSet([], unexpected);
  for (const [hook, args] of CALLS) call(probes, hook, args);
});

Deno.test("ProbeSet: a method of a class keeps its this", () => {
  class Counting {
    seen = 0;
    requestSeen() {
      this.seen++;
    }
  }
  const probe = new Counting();
  new ProbeSet([{ module: "a", probe }], unexpected).requestSeen(0);
  assert.equal(probe.seen, 1);
});

Deno.test("ProbeSet: a probe that throws is off in all its hooks, the others miss no call", async (t) => {
  for (const [hook, args] of CALLS) {
    await t.step(hook, () => {
      const before: unknown[] = [];
      const throwing: unknown[] = [];
      const after: unknown[] = [];
      const failures: unknown[] = [];
      const probes = new ProbeSet([
        { module: "before", probe: recorder("before", before) },
        {
          module: "throwing",
          probe: {
            ...recorder("throwing", throwing),
            [hook]: () => {
              throw new Error("broken");
            },
          },
        },
        { module: "after", probe: recorder("after", after) },
      ], (module, error) => failures.push([module, String(error)]));
      call(probes, hook, args);
      for (const [each, its] of CALLS) call(probes, each, its);
      assert.deepEqual(failures, [["throwing", "Error: broken"]]);
      assert.deepEqual(throwing, []);
      assert.equal(before.length, CALLS.length + 1);
      assert.equal(after.length, CALLS.length + 1);
    });
  }
});

function module(text: string): string {
  return `data:text/javascript,${encodeURIComponent(text)}`;
}

function stripeFor(modules: readonly string[]) {
  const registry = new Registry();
  registry.declare({
    name: PROBE_ERRORS,
    help: "Errors",
    type: "counter",
    scope: "process",
    label: { name: "plugin", values: modules.map((_, i) => `p${i}`) },
  });
  const stripe = new Stripe(registry.freeze({ stripes: 1 }), 0);
  const errors = () =>
    registry.snapshot().get(PROBE_ERRORS)?.series.map(({ value }) => value);
  return { stripe, errors };
}

Deno.test("loadProbes: a module's default export makes its probe of the context", async () => {
  const modules = [module(`
    export default ({ role, stripe }) => ({
      requestSeen: (series) => { stripe.cells[series] = role === "mirror" ? 7 : 0; },
    });
  `)];
  const { stripe } = stripeFor(modules);
  const probes = await loadProbes(
    modules,
    { role: "mirror", stripe },
    unexpected,
  );
  probes.requestSeen(3);
  assert.equal(stripe.cells[3], 7);
});

Deno.test("loadProbes: what can't be loaded or made is counted, and the others run", async () => {
  const good = module(
    "export default () => ({ requestSeen() { globalThis.probeTestSeen = true; } });",
  );
  const modules = [
    "file:///nowhere/at/all.ts",
    module("export const probe = 1;"),
    module(`export default () => { throw new Error("no luck"); };`),
    module("syntax error"),
    good,
  ];
  const { stripe, errors } = stripeFor(modules);
  const failures: string[] = [];
  const probes = await loadProbes(
    modules,
    { role: "proxy", stripe },
    (module) => failures.push(module),
  );
  assert.deepEqual(failures, modules.slice(0, 4));
  assert.deepEqual(errors(), [1, 1, 1, 1, 0]);
  probes.requestSeen(0);
  assert.equal(Reflect.get(globalThis, "probeTestSeen"), true);
  Reflect.deleteProperty(globalThis, "probeTestSeen");
});

Deno.test("loadProbes: a throw while counting is counted for its plugin, once", async () => {
  const modules = [
    module("export default () => ({});"),
    module(`export default () => ({ queue() { throw new Error("late"); } });`),
  ];
  const { stripe, errors } = stripeFor(modules);
  const failures: unknown[] = [];
  const probes = await loadProbes(
    modules,
    { role: "mirror", stripe },
    (module, error) => failures.push([module, String(error)]),
  );
  probes.queue(0, 1, 2);
  probes.queue(0, 1, 2);
  assert.deepEqual(failures, [[modules[1], "Error: late"]]);
  assert.deepEqual(errors(), [0, 1]);
});

Deno.test("loadProbes: without modules nothing has to be declared", async () => {
  const stripe = new Stripe(new Registry().freeze({ stripes: 1 }), 0);
  (await loadProbes([], { role: "proxy", stripe }, unexpected)).requestSeen(0);
});
