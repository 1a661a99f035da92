import assert from "node:assert/strict";
import { Judge, type JudgedMirror } from "../../src/judge/judge.ts";
import type { ComparedPair } from "../../src/judge/statement_table.ts";
import type { Transaction } from "../../src/record/mod.ts";
import { OTHER_SHAPE } from "../../src/sql/shape.ts";

Deno.test("Judge: a pipeline's round trip is taken off once on each side", () => {
  const times: number[][] = [];
  const target = {
    settings: { examples: "redacted" },
    ignored: () => false,
    probes: { statementCompared() {} },
    table: {
      add: ({ primaryUs, mirrorUs }: ComparedPair) =>
        times.push([primaryUs, mirrorUs]),
    },
  } as unknown as JudgedMirror;
  const judge = new Judge(target, 0, 1);
  const transaction = { startUs: 0, roundTripUs: 1_000 } as Transaction;
  judge.begin(transaction, () => false, 500);
  const pair = (
    [primaryUs, queuedUs]: readonly [number, number],
    [mirrorUs, mirrorQueuedUs]: readonly [number, number],
  ) =>
    judge.pair({
      rows: undefined,
      shape: OTHER_SHAPE,
      primary: undefined,
      mirror: undefined,
      primaryUs,
      queuedUs,
      mirrorUs,
      mirrorQueuedUs,
      cycleStartUs: 0,
      cycleEndUs: 0,
    }, 0);
  // Three statements of 200 µs in one pipeline.
  pair([1_200, 0], [700, 0]);
  pair([200, 1_200], [200, 700]);
  pair([200, 1_400], [200, 900]);
  // One that was sent while the cycle before was not answered yet for 600 µs.
  pair([600, 600], [700, 0]);
  // Faster than the shortest round trip: nothing is left.
  pair([900, 0], [400, 0]);
  assert.deepEqual(times, [
    [200, 200],
    [200, 200],
    [200, 200],
    [200, 200],
    [0, 0],
  ]);
});
