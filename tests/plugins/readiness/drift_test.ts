import assert from "node:assert/strict";
import {
  type DriftFinding,
  driftFindings,
  likelyCauses,
} from "../../../plugins/readiness/drift.ts";
import type { ChanceColumn, StatementSummary } from "../../../src/stats/mod.ts";

const PAIR = { database: "shop", mirror: "next" };

const column = (more: Partial<ChanceColumn> = {}): ChanceColumn => ({
  ...PAIR,
  relation: "public.jobs",
  column: "id",
  kind: "sequence",
  sequence: "public.jobs_id_seq",
  givenRows: 5,
  drawn: { "collided": 1, "not returned": 9 },
  since: 0,
  ...more,
});

/** Counts by `column result`. */
function statement(
  counts: Readonly<Record<string, number>>,
  mirror = PAIR.mirror,
): StatementSummary {
  const drifted = Object.entries(counts).map(([text, count]) => {
    const [column = "", result = ""] = text.split(" ");
    const none = { mirrorSqlstate: "00000", primarySqlstate: "00000" };
    return { column, result, count, ...none };
  });
  return { ...PAIR, mirror, drifted } as unknown as StatementSummary;
}

const ROWS = "public.jobs.id mismatch_rows";
const NOISE = "public.jobs.id noise_limit";

Deno.test("driftFindings: what statements have counted, with what is known of the column", () => {
  const found = driftFindings(
    [statement({ [ROWS]: 2, [NOISE]: 3 }), statement({ [ROWS]: 4 })],
    [column(), column({ mirror: "other", since: null })],
    "answers",
  );
  const [only, ...others] = found;
  assert.deepEqual(others, []);
  assert.deepEqual({ ...only, cure: "" }, {
    ...PAIR,
    kind: "sequence_drift",
    relation: "public.jobs",
    column: "id",
    sequence: "public.jobs_id_seq",
    reason: "not returned",
    since: "1970-01-01T00:00:00.000Z",
    mismatches: 6,
    noise: 3,
    statements: 2,
    cure: "",
  });
  assert.match(only?.cure ?? "", /^mirror_values = "log"/);
});

Deno.test("driftFindings: another mirror's column is not this one's", () => {
  const found = driftFindings(
    [statement({ [ROWS]: 2 }, "other")],
    [column()],
    "answers",
  );
  assert.deepEqual(
    found.map(({ mirror, since, reason }) => [mirror, since, reason]),
    [["other", null, "not known"]],
  );
});

Deno.test("driftFindings: where the log is read already it is no cure", () => {
  const cure = (values: string) =>
    driftFindings([statement({ [ROWS]: 1 })], [column()], values)[0]?.cure ??
      "";
  assert.match(cure("answers"), /mirror_values/);
  assert.doesNotMatch(cure("log"), /mirror_values/);
});

const finding = (more: Partial<DriftFinding>): DriftFinding => ({
  ...PAIR,
  kind: "sequence_drift",
  relation: "public.jobs",
  column: "id",
  sequence: null,
  reason: "not returned",
  since: null,
  mismatches: 0,
  noise: 0,
  statements: 1,
  cure: "RETURNING id",
  ...more,
});

Deno.test("likelyCauses: noise is one only where it keeps READY away", () => {
  const noise = [finding({ noise: 9 })];
  assert.deepEqual(likelyCauses(noise, false), []);
  assert.equal(likelyCauses(noise, true).length, 1);
  assert.equal(likelyCauses([finding({ mismatches: 1 })], false).length, 1);
});

Deno.test("likelyCauses: one for each table, three tables at the most", () => {
  const columns = [..."abcde"].flatMap((name) => [
    finding({ relation: `public.${name}`, mismatches: 2 }),
    finding({ relation: `public.${name}`, column: "at", mismatches: 1 }),
  ]);
  const causes = likelyCauses(columns, false);
  assert.equal(causes.length, 4);
  assert.match(causes[2] ?? "", /table public\.c, column id/);
  assert.match(causes[3] ?? "", /^2 more/);
});
