import assert from "node:assert/strict";
import { summarize } from "../../tools/junit_summary.ts";

const SAMPLE = `
Deno.test("a: passes & says <skipped/>", () => {});
Deno.test({ name: "b: is skipped", ignore: true, fn() {} });
Deno.test("c: fails", () => { throw new Error("</testcase>"); });
Deno.test("d: has steps", async (t) => {
  await t.step("one", () => {});
  await t.step({ name: "two", ignore: true, fn() {} });
});
`;

/** What the runner really writes about `text`. */
async function run(
  text: string,
): Promise<{ report: string; exitCode: number }> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/sample_test.ts`, text);
    const { code } = await new Deno.Command(Deno.execPath(), {
      args: [
        "test",
        "--no-config",
        "--no-check",
        `--junit-path=${folder}/report`,
        folder,
      ],
      stdout: "null",
      stderr: "null",
    }).output();
    const report = await Deno.readTextFile(`${folder}/report`);
    return { report, exitCode: code };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("summarize: a skipped test or step is a failed one", async () => {
  const { report, exitCode } = await run(SAMPLE);
  assert.deepEqual(summarize(report, exitCode), {
    passed: 3,
    failed: 3,
    remarks: ["skipped: b: is skipped", "skipped: d: has steps &gt; two"],
  });
});

Deno.test("summarize: an error outside of every test is a failure", async () => {
  const { report, exitCode } = await run(
    `Deno.test("a", () => {}); throw new Error("top level");`,
  );
  const { failed, remarks } = summarize(report, exitCode);
  assert.equal(failed, 1);
  assert.deepEqual(remarks.slice(-1), [
    "the test runner has ended with exit code 1",
  ]);
});

Deno.test("summarize: an empty report is no success", () => {
  assert.deepEqual(summarize("", 0), {
    passed: 0,
    failed: 0,
    remarks: ["no test has run"],
  });
  assert.equal(summarize("", 137).failed, 1);
});

Deno.test("summarize: all passed", async () => {
  const { report, exitCode } = await run(
    `Deno.test("a", () => {}); Deno.test("b", () => {});`,
  );
  assert.deepEqual(summarize(report, exitCode), {
    passed: 2,
    failed: 0,
    remarks: [],
  });
});
