import assert from "node:assert/strict";
import { boundProblems, BOUNDS, type Bounds } from "../../src/record/mod.ts";

Deno.test("boundProblems: the bounds in force fit together, and each that does not is named", () => {
  assert.deepEqual(boundProblems(BOUNDS), []);
  const cases: readonly (readonly [Partial<Bounds>, RegExp])[] = [
    [{ ringBytes: 1024 * 1024 }, /ring of 1048576 bytes does not hold 8/],
    // The fault of one record for all statements of a cycle.
    [{ recordStatements: 45_000 }, /does not hold 8 records of/],
    [{ recordCycles: 65_536 }, /does not hold 8 records of/],
    [{ fragmentBytes: 16 * 1024 * 1024 }, /does not hold 8 records of/],
    [
      { readBytes: 512 * 1024, ringBytes: 16 * 1024 * 1024 },
      /read of 524288 bytes does not fit/,
    ],
    [{ smallBufferBytes: 512 * 1024 }, /is not smaller/],
    [{ restBytes: 128 * 1024 }, /At rest 131072 bytes are kept/],
  ];
  for (const [change, problem] of cases) {
    const problems = boundProblems({ ...BOUNDS, ...change });
    assert.equal(problems.length, 1, JSON.stringify(change));
    assert.match(problems[0] ?? "", problem);
  }
});
