import assert from "node:assert/strict";
import { log } from "../../../plugins/log/mod.ts";
import { mirrorStats } from "../../../plugins/mirror_stats/mod.ts";
import {
  Dropped,
  Excluded,
  Failed,
  type Plugin,
  type PluginInstance,
  Result,
} from "../../../src/plugin/api.ts";
import { plugin } from "../../plugin/fixture.ts";
import { ANN, BOB, type Counted, counted, replay, WEB } from "../fixture.ts";

/** The log plugin, sampled by the test, a minute each time. */
function logging(
  config: Record<string, unknown> = {},
  plugins: readonly Plugin[] = [],
) {
  let instance: PluginInstance = {};
  const caught: Plugin = {
    ...log,
    create(config, context) {
      instance = log.create(config as never, context);
      return instance;
    },
  } as Plugin;
  let uptime = 0;
  const test = counted([mirrorStats, ...plugins, caught], {
    config: { log: config },
    uptimeMs: () => uptime,
  });
  return {
    ...test,
    sample(ms = 60_000) {
      uptime += ms;
      instance.onSample?.(test.registry.snapshot());
    },
    close: () => instance.close?.(),
    /** What was said since it was last asked. */
    said: () =>
      test.logs.splice(0).map((line) => {
        const [, message = "", json = ""] = /^info log: (.*?) (\{.*\})$/
          .exec(line) ?? assert.fail(line);
        return [message, JSON.parse(json)] as const;
      }),
  };
}

const EMPTY = {
  database: "shop",
  mirror: "shop_18",
  seen: 0,
  replayed: 0,
  excluded: {},
  dropped: {},
  failed: {},
  mismatches: {},
  pending: 0,
  lagSeconds: 0.25,
};

function compared(test: Counted, result: number): void {
  test.mirror.statementCompared(test.series(ANN), result, 0.001);
}

Deno.test("log: the change since the last line, reasons and classes by name", () => {
  const test = logging();
  replay(test, ANN, { times: 3 });
  replay(test, BOB, { times: 2 });
  test.sample();
  assert.deepEqual(test.said(), [
    ["Ledger", { ...EMPTY, seen: 5, replayed: 5 }],
  ]);
  const ann = test.series(ANN);
  replay(test, ANN);
  for (let i = 0; i < 5; i++) test.proxy.requestSeen(ann);
  test.proxy.requestExcluded(ann, Excluded.level);
  test.proxy.requestDropped(ann, Dropped.tooLarge);
  test.mirror.requestDropped(ann, Dropped.mirrorDown);
  test.mirror.requestFailed(ann, Failed.timeout);
  compared(test, Result.match);
  compared(test, Result.mismatchRows);
  compared(test, Result.mismatchRows);
  compared(test, Result.mismatchSqlstate);
  test.sample();
  assert.deepEqual(test.said(), [["Ledger", {
    ...EMPTY,
    seen: 6,
    replayed: 1,
    excluded: { level: 1 },
    dropped: { too_large: 1, mirror_down: 1 },
    failed: { timeout: 1 },
    mismatches: { rows: 2, sqlstate: 1 },
    pending: 1,
  }]]);
});

Deno.test("log: nothing if nothing changed, and a line for each mirror that did", () => {
  const test = logging();
  test.sample();
  replay(test, ANN);
  replay(test, WEB);
  test.sample();
  assert.deepEqual(
    test.said().map(([, { mirror }]) => mirror),
    ["shop_18", "web_18"],
  );
  test.sample();
  assert.deepEqual(test.said(), []);
  replay(test, WEB);
  test.sample();
  assert.deepEqual(test.said().map(([, { mirror }]) => mirror), ["web_18"]);
});

Deno.test("log: once in interval_ms, and what is left at the end", async () => {
  const test = logging({ interval_ms: 5_000 });
  replay(test, ANN);
  test.sample(4_999);
  assert.deepEqual(test.said(), []);
  test.sample(1);
  assert.equal(test.said().length, 1);
  replay(test, ANN, { times: 2 });
  test.sample(1_000);
  assert.deepEqual(test.said(), []);
  await test.close();
  assert.deepEqual(test.said().map(([, { seen }]) => seen), [2]);
});

Deno.test("log: every change of the verdict, with the gates that speak against it", () => {
  let state = "INCONCLUSIVE";
  const gates: Record<string, number> = { lag: -1, latency: -1, requests: -1 };
  const judge = plugin("judge", {
    create(_config, { stats }) {
      const declare = (
        name: string,
        label: string,
        values: readonly string[],
        derive: (value?: string) => number,
      ) =>
        stats.declare({
          name,
          help: name,
          type: "gauge",
          scope: "process",
          label: { name: label, values },
          derive: (_get, value) => derive(value),
        });
      declare(
        "mirror_readiness_state",
        "state",
        ["READY", "NOT READY", "INCONCLUSIVE"],
        (value) => value === state ? 1 : 0,
      );
      declare(
        "mirror_readiness_gate",
        "gate",
        Object.keys(gates),
        (value) => gates[value ?? ""] ?? -1,
      );
      stats.declare({
        name: "mirror_readiness_score",
        help: "Score",
        type: "gauge",
        scope: "process",
        derive: () => 42,
      });
      return {};
    },
  });
  const test = logging({}, [judge]);
  test.sample(1_000);
  test.sample(1_000);
  assert.deepEqual(test.said(), [], "the first verdict is no change");
  state = "NOT READY";
  gates.latency = 0;
  gates.lag = 1;
  test.sample(1_000);
  assert.deepEqual(test.said(), [["Verdict changed", {
    from: "INCONCLUSIVE",
    to: "NOT READY",
    score: 42,
    failed: ["latency"],
    insufficient: ["requests"],
  }]]);
  test.sample(1_000);
  assert.deepEqual(test.said(), []);
  state = "READY";
  test.sample(1_000);
  assert.deepEqual(test.said().map(([, { from, to }]) => [from, to]), [
    ["NOT READY", "READY"],
  ]);
});

Deno.test("log: is on unless told otherwise; an unknown key is named", async () => {
  assert.deepEqual(log.parseConfig(undefined), {
    enabled: true,
    interval_ms: 60_000,
  });
  assert.throws(() => log.parseConfig({ interval: 1 }), /"interval"/);
  assert.throws(() => log.parseConfig({ interval_ms: 10 }), /interval_ms/);
  const test = logging({ enabled: false });
  replay(test, ANN);
  test.sample();
  await test.close();
  assert.deepEqual(test.said(), []);
});
