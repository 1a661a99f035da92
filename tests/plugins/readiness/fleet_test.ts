import assert from "node:assert/strict";
import { readiness } from "../../../plugins/readiness/mod.ts";
import type { Sample } from "../../../plugins/readiness/samples.ts";
import { mirrorStats } from "../../../plugins/mirror_stats/mod.ts";
import { prometheus } from "../../../plugins/prometheus/mod.ts";
import { RESULTS } from "../../../src/stats/mod.ts";
import { judge, sample, samplesOf } from "../../support/fleet.ts";
import { ANN, counted, replay, WEB } from "../fixture.ts";

/** Limits that little evidence can meet; no statement's latency is tested here. */
const GENERAL = {
  openmetrics_namespace: "pgdog_",
  mirror_compare: "rows",
  mirror_metrics_enabled: true,
  mirror_max_error_rate: 0.01,
  mirror_max_latency_ms: 1_000,
  mirror_min_runtime_hours: 0,
  mirror_min_requests: 10,
  mirror_error_threshold: 100,
  mirror_max_latency_ratio: 1.25,
  mirror_latency_threshold_ms: 5_000,
};

type Match = "match" | "mismatch_rows";

/** What a proxy with such traffic exposes, as Prometheus stores it. */
async function scraped(
  instance: string,
  traffic: Partial<Record<Match, number>>,
  general: Partial<typeof GENERAL> = {},
): Promise<Sample[]> {
  const all = counted([mirrorStats, readiness, prometheus], {
    general: { ...GENERAL, ...general },
    sampleMs: 1,
  });
  for (const [result, times] of Object.entries(traffic)) {
    for (const labels of [ANN, WEB]) {
      replay(all, labels, { times });
      for (let i = 0; i < times; i++) {
        all.mirror.statementCompared(
          all.series(labels),
          RESULTS.indexOf(result as Match),
          0.0015,
        );
      }
    }
  }
  // The verdict is renewed with each reading.
  all.command("SHOW MIRROR READINESS").rows();
  const route = all.host.routes.find(({ path }) => path === "/metrics");
  const response = await route?.handle(new Request("http://x/metrics"));
  return [
    sample(`up{}`, instance, 1),
    ...samplesOf(await response?.text() ?? "", instance),
  ];
}

Deno.test("judgeFleet: counts are the sum over the proxies, for each mirror and in all", async () => {
  const fleet = await judge([
    ...await scraped("a", { match: 20, mismatch_rows: 3 }),
    ...await scraped("b", { match: 40 }),
  ]);
  const shop = fleet.mirrors.find(({ mirror }) => mirror === "shop_18");
  assert.ok(shop !== undefined);
  assert.equal(shop.evidence.seen, 63);
  assert.equal(shop.evidence.replayed, 63);
  assert.equal(shop.evidence.compared, 63);
  assert.equal(shop.evidence.mismatches, 3);
  assert.equal(fleet.evidence.seen, 126);
  assert.equal(shop.evidence.mirrorMeanMs?.toFixed(6), "3.000000");
  assert.ok((shop.evidence.lagP99Seconds ?? 0) > 0.1);
  assert.deepEqual(
    fleet.instances.map(({ instance, evidence: { seen } }) => [instance, seen]),
    [["a", 46], ["b", 80]],
  );
  assert.equal(fleet.state, "NOT READY");
  const gate = shop.verdict.gates.find((g) => g.gate === "mismatch_rate");
  assert.match(gate?.sentence ?? "", /^3 of 63 compared statements/);
});

Deno.test("judgeFleet: the gates of one proxy are those of a fleet of one", async () => {
  const all = counted([mirrorStats, readiness], { general: GENERAL });
  replay(all, ANN, { times: 20 });
  const route = all.host.routes.find(({ path }) => path === "/readiness");
  const own = await (await route?.handle(new Request("http://x/readiness")))
    ?.json();
  const fleet = await judge(await scraped("a", { match: 20 }));
  const gates = (doc: typeof own) =>
    doc.mirrors[0].verdict.gates.map((
      { gate, limit }: { gate: string; limit: number },
    ) => [gate, limit]);
  assert.deepEqual(gates(fleet), gates(own));
});

Deno.test("judgeFleet: READY takes every proxy", async (t) => {
  const [a, b] = [
    await scraped("a", { match: 20 }),
    await scraped("b", { match: 20 }),
  ];
  /** Latency and coverage are judged by statement, which this traffic has none of: give it some. */
  const tested = (samples: readonly Sample[]) =>
    samples.map((one) =>
      one.labels.latency === "tested" || one.labels.comparison === "seen"
        ? { ...one, value: 5 }
        : one
    );
  const good = [...tested(a), ...tested(b)];
  const without = (...names: string[]) =>
    good.filter(({ labels }) =>
      labels.instance !== "b" ||
      !names.some((name) => labels.__name__?.startsWith(name))
    );
  const down = without("pgdog_", "up").concat(sample("up{}", "b", 0));

  await t.step("all there: READY", async () => {
    const fleet = await judge(good);
    assert.deepEqual(
      fleet.mirrors.flatMap(({ verdict }) =>
        verdict.gates.filter(({ status }) => status !== "pass")
      ),
      [],
    );
    assert.deepEqual([fleet.state, fleet.reasons], ["READY", []]);
  });
  const cases: readonly [
    name: string,
    samples: readonly Sample[],
    reason: RegExp,
    gone?: readonly Sample[],
  ][] = [
    ["one is down", down, /^b is down$/],
    ["one has no metrics", without("pgdog_"), /^b has no metrics of this/],
    [
      "one mirrors nothing",
      without("pgdog_mirror_readiness_statements"),
      /^b mirrors nothing$/,
    ],
    [
      "one was scraped and is gone",
      good,
      /^c was scraped within 1d and is no target now/,
      [sample("x{}", "c", 1)],
    ],
    [
      "one lacks a limit",
      good.filter(({ labels }) =>
        labels.instance !== "b" || labels.limit !== "max_lag_seconds"
      ),
      /does not give all of its limits/,
    ],
    [
      "one has another limit",
      good.map((one) =>
        one.labels.instance === "b" && one.labels.limit === "min_coverage"
          ? { ...one, value: 0.5 }
          : one
      ),
      /do not have the same limits/,
    ],
    [
      "one does not count",
      good.map((one) =>
        one.labels.instance === "b" &&
          one.labels.__name__ === "pgdog_mirror_metrics_enabled"
          ? { ...one, value: 0 }
          : one
      ),
      /^metrics are off$/,
    ],
    [
      "one does not compare rows",
      [
        ...tested(a),
        ...tested(
          await scraped("b", { match: 20 }, { mirror_compare: "shape" }),
        ),
      ],
      /rows are not compared \(mirror_compare = "shape"\)/,
    ],
  ];
  for (const [name, samples, reason, gone] of cases) {
    await t.step(`${name}: INCONCLUSIVE, and why`, async () => {
      const fleet = await judge(samples, gone);
      assert.equal(fleet.state, "INCONCLUSIVE");
      assert.ok(
        fleet.reasons.some((text) => reason.test(text)),
        fleet.reasons.join("; "),
      );
    });
  }
  await t.step("findings on statements add up over the proxies", async () => {
    const counts: Record<string, number> = { slower: 2, unjudged: 3 };
    const fleet = await judge(
      good.map((one) => ({
        ...one,
        value: counts[one.labels.latency ?? ""] ?? one.value,
      })),
    );
    const gate = fleet.mirrors[0]?.verdict.gates
      .find((g) => g.gate === "latency_regressions");
    assert.equal(gate?.status, "fail");
    assert.equal(
      gate.sentence,
      "4 of 10 statements are slower on the mirror by more than a factor of 1.25, the worst: see SHOW MIRROR STATEMENTS on a. 6, with fewer than 30 pairs or slower within what chance may do, are not judged yet: see SHOW MIRROR STATEMENTS on a.",
    );
  });
  await t.step("nobody tested a statement: insufficient", async () => {
    const fleet = await judge([...a, ...b]);
    assert.equal(fleet.state, "INCONCLUSIVE");
    const gate = fleet.gates.find((g) => g.gate === "latency_regressions");
    assert.equal(gate?.status, "insufficient");
  });
  await t.step(
    "one that just started makes the time short",
    async () => {
      const observed = (instance: string, seconds: number) => (one: Sample) =>
        one.labels.instance === instance &&
          /_(observed|active)_seconds$/.test(one.labels.__name__ ?? "")
          ? { ...one, value: seconds }
          : one;
      const fleet = await judge(
        good.map(observed("a", 360_000)).map(observed("b", 36)),
      );
      const { observedHours, activeHours } = fleet.evidence;
      assert.deepEqual([observedHours, activeHours], [0.01, 0.01]);
    },
  );
  await t.step("one that stands by does not, and is no evidence", async () => {
    const hours = (one: Sample) => {
      const { __name__: name = "" } = one.labels;
      if (!/_(observed|active)_seconds$/.test(name)) return one;
      const idle = one.labels.instance === "b";
      return { ...one, value: idle && /active/.test(name) ? 0 : 360_000 };
    };
    const standby = tested(await scraped("b", {})).map((one) =>
      one.labels.latency === "tested" || one.labels.comparison === "seen"
        ? { ...one, value: 0 }
        : one
    );
    const fleet = await judge([...tested(a), ...standby].map(hours));
    assert.deepEqual([fleet.state, fleet.reasons], ["READY", []]);
    assert.equal(fleet.evidence.activeHours, 100);
    for (const { evidence } of fleet.mirrors) {
      assert.deepEqual([evidence.observedHours, evidence.activeHours], [
        100,
        100,
      ]);
    }
    const alone = await judge(standby.map(hours));
    assert.equal(alone.state, "INCONCLUSIVE");
    assert.equal(alone.evidence.activeHours, 0);
  });
});

Deno.test("judgeFleet: without a target, or without limits, it could not be asked", async () => {
  await assert.rejects(judge([]), /scrapes no job "x"/);
  await assert.rejects(
    judge([sample("up{}", "a", 0)]),
    /No instance of job "x" gives its limits: a is down/,
  );
});

Deno.test("judgeFleet: accepted differences are none, and said", async () => {
  const samples = await scraped("a", { match: 20, mismatch_rows: 2 });
  const kind = (labels: Sample["labels"], name: string) =>
    labels.kind === name && labels.mirror === "shop_18";
  const fleet = await judge(
    samples.map((one) =>
      kind(one.labels, "mismatches")
        ? { ...one, value: 0 }
        : kind(one.labels, "accepted_mismatches")
        ? { ...one, value: 2 }
        : one
    ),
  );
  const { evidence, verdict } = fleet.mirrors[0] as typeof fleet.mirrors[0];
  assert.equal(evidence.mismatches, 0);
  assert.equal(evidence.ignored, 2);
  const gate = verdict.gates.find(({ gate }) => gate === "mismatch_rate");
  assert.equal(gate?.status, "pass");
  assert.match(
    gate?.sentence ?? "",
    /2 that differ as well are accepted by rules/,
  );
});

Deno.test("judgeFleet: lags of different bounds meet at those that all have", async () => {
  const lag = (instance: string, counts: Record<string, number>) =>
    Object.entries(counts).map(([bound, n]) =>
      sample(
        `pgdog_mirror_readiness_lag_requests{database="shop",mirror="shop_18",bound="${bound}"}`,
        instance,
        n,
      )
    );
  const without = (samples: readonly Sample[]) =>
    samples.filter(({ labels }) =>
      labels.__name__ !== "pgdog_mirror_readiness_lag_requests"
    );
  const fleet = await judge([
    ...without(await scraped("a", { match: 20 })),
    ...lag("a", { "1": 3, "2": 5, "5": 9, "+Inf": 10 }),
    ...without(await scraped("b", { match: 20 })),
    ...lag("b", { "1": 1, "5": 1, "10": 2, "+Inf": 2 }),
  ]);
  // The 99th of 100 is above the last bound that both have.
  assert.equal(fleet.mirrors[0]?.evidence.lagP99Seconds, 5);
});

Deno.test("judgeFleet: a version that does not export its evidence is named", async () => {
  const old = (await scraped("b", { match: 20 })).filter(({ labels }) =>
    !labels.__name__?.startsWith("pgdog_mirror_readiness_evidence")
  );
  const { reasons } = await judge([
    ...await scraped("a", { match: 20 }),
    ...old,
  ]);
  assert.match(reasons.join(), /b does not export its evidence/);
});

Deno.test("judgeFleet: names of tables are looked up where the differences are", async () => {
  const samples = [
    ...await scraped("a", { match: 20 }),
    ...await scraped("b", { mismatch_rows: 20 }),
  ].map((one) =>
    one.labels.instance === "b" &&
      one.labels.__name__?.endsWith("drifted_columns")
      ? { ...one, value: 1 }
      : one
  );
  const { state, causes } = await judge(samples);
  assert.equal(state, "NOT READY");
  assert.deepEqual(causes.map((text) => text.split(": ")[1]), [
    "see SHOW MIRROR GIVEN on b",
  ]);
});
