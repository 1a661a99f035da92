import assert from "node:assert/strict";
import { type Finding, findingsOf } from "../support/introspection/findings.ts";
import { introspectionTools } from "../support/introspection/tools.ts";
import { startPrimary, startTwin } from "../support/introspection/twins.ts";
import { run } from "../support/judged.ts";

/** A result with statements that have it. */
interface Expected {
  readonly result: string;
  readonly text: RegExp;
}

/** Programs of version 15 ask for columns that 18 has under another name. */
const REFUSED: readonly Expected[] = [
  {
    result: "mismatch_error_on_mirror",
    text: /\b(daticulocale|colliculocale)\b/,
  },
];

/** A definition or a name is asked for by an OID of the primary, which the mirror's object has not. */
const BY_OID: readonly Expected[] = [
  { result: "mismatch_rows", text: /\bpg_get_\w+def\(\$1/ },
  { result: "mismatch_rows", text: /\bformat_type\((\$1|tp)\b/ },
];

/** What the judge sees and should not: take away what is right. */
const TODAY = {
  "15": BY_OID,
  // Of 17 on, attstattarget and stxstattarget are int2, and substream is a "char".
  "18": [...BY_OID, {
    result: "mismatch_columns",
    text: /\b(pg_attribute|pg_index|pg_statistic_ext|pg_subscription)\b/,
  }],
} as const;

function isExpected(all: readonly Expected[], found: Finding): boolean {
  return all.some(({ result, text }) =>
    result === found.result && text.test(found.text)
  );
}

for (const version of ["15", "18"] as const) {
  Deno.test({
    name:
      `introspection: tools that read a schema find no mismatch on a twin with other OIDs, 15 and ${version}`,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn(t) {
      const tools = await introspectionTools();
      await using primary = await startPrimary();
      await using twin = await startTwin(version);
      const refused = version === "18" ? REFUSED : [];
      const all: Finding[] = [];
      for (const tool of tools) {
        await t.step(tool.name, async () => {
          const { counts, mismatches } = await findingsOf(tool, primary, twin);
          all.push(...mismatches);
          const known = [...refused, ...TODAY[version]];
          assert.deepEqual(
            mismatches.filter((found) => !isExpected(known, found)),
            [],
          );
          const isRefused = mismatches.some((one) => isExpected(refused, one));
          const skipped = Object.keys(counts).filter((name) =>
            name.startsWith("skipped_") &&
            !(isRefused && name === "skipped_cascade")
          );
          assert.deepEqual(skipped, [], JSON.stringify(counts));
        });
      }
      await t.step("what is known to differ still does", () => {
        const gone = [...refused, ...TODAY[version]].filter((one) =>
          !all.some((found) => isExpected([one], found))
        );
        assert.deepEqual(gone, []);
      });
      await t.step("a wrong row is found in what pg_dump copies", async () => {
        const dump = tools.find(({ name }) => name === "pg_dump");
        if (dump === undefined) return;
        await run(twin, "update app.customer set name = 'X' where id = 7");
        const { mismatches } = await findingsOf(dump, primary, twin);
        const found = mismatches.filter((one) =>
          !isExpected(TODAY[version], one)
        );
        assert.deepEqual(
          found.map(({ result, text }) => [result, text.split(" ")[0]]),
          [["mismatch_rows", "COPY"]],
        );
      });
    },
  });
}
