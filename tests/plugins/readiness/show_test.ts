import assert from "node:assert/strict";
import type { ReadinessDocument } from "../../../plugins/readiness/document.ts";
import { readinessCommands } from "../../../plugins/readiness/show.ts";
import {
  readinessSchema,
  type Thresholds,
} from "../../../plugins/readiness/thresholds.ts";
import { RESULTS, type StatementSummary } from "../../../src/stats/mod.ts";
import { latencyOf, type Times } from "../../support/sketches.ts";

const none = { counts: [], sum: 0, count: 0 };

function statement(
  text: string,
  ...times: readonly Times[]
): StatementSummary {
  return {
    database: "shop",
    mirror: "next",
    fingerprint: text,
    text,
    calls: 1,
    results: RESULTS.map(() => 0),
    rows: 0,
    primary: none,
    mirrorLatency: none,
    ...latencyOf(...times),
    outcomes: [],
    firstSeen: 0,
    lastSeen: 0,
    masked: {},
    drifted: [],
    examples: [],
  };
}

Deno.test("SHOW MIRROR STATEMENTS: in what a statement is slower, the slowest first", () => {
  const statements = [
    statement("even", [100, 10, 10]),
    statement("rare", [29, 10, 10]),
    statement("once", [1, 1, 1_000]),
    statement("median", [100, 10, 20]),
    statement("tail", [950, 10, 10], [50, 10, 10_000]),
    statement("total", [9_900, 10, 10], [100, 10, 1_000]),
  ];
  const thresholds = {
    ...readinessSchema.parse({}),
    maxLatencyRatio: 1.25,
  } as Thresholds;
  const command = readinessCommands(
    () => ({ evidence: { statements } }) as unknown as ReadinessDocument,
    () => thresholds,
  ).find(({ words }) => words === "SHOW MIRROR STATEMENTS");
  const names = command?.columns?.map(({ name }) => name) ?? [];
  const of = (row: readonly unknown[]) =>
    ["statement", "pairs", "slower"].map((name) => row[names.indexOf(name)]);
  assert.deepEqual(command?.rows().map(of), [
    [
      "tail",
      1_000,
      "more than 9496 ms in 5.0 % of the calls, the primary more than 7596 ms in 0.0 %",
    ],
    ["median", 100, "median 2.01 times"],
    ["total", 10_000, "1.99 times in total"],
    ["even", 100, null],
    ["rare", 29, "not judged"],
    ["once", 1, "not judged"],
  ]);
});
