/**
 * `deno run --allow-read tools/junit_summary.ts REPORT EXIT_CODE`: the outcome
 * of a test run in one line. A skipped test counts as failed: where this is
 * used, nothing may be skipped.
 *
 * @module
 */

/** The outcome of a test run. */
export interface Summary {
  readonly passed: number;
  readonly failed: number;
  /** What a reader would not find in the runner's own output, a line each. */
  readonly remarks: readonly string[];
}

/** Deno escapes "<" and ">" in names and messages, so that tags can be told apart from them. */
const TEST_CASE = /<testcase name="([^"]*)"[^>]*>([\s\S]*?)<\/testcase>/g;

/**
 * Sums up a JUnit report as `deno test --junit-path` writes it. Steps are
 * counted like tests.
 *
 * @param report empty if the runner has written none.
 * @param exitCode the runner's. An error outside of every test, in a module's top level, is in no report: it shows here only.
 */
export function summarize(report: string, exitCode: number): Summary {
  const cases = [...report.matchAll(TEST_CASE)]
    .map(([, name = "", content = ""]) => ({ name, content }));
  const skipped = cases.filter(({ content }) => content.includes("<skipped"));
  const failures =
    cases.filter(({ content }) => /<(failure|error)\b/.test(content)).length;
  const remarks = skipped.map(({ name }) => `skipped: ${name}`);
  let failed = failures + skipped.length;
  if (cases.length === 0) remarks.push("no test has run");
  if (exitCode !== 0 && failures === 0) {
    remarks.push(`the test runner has ended with exit code ${exitCode}`);
    failed++;
  }
  return {
    passed: cases.length - failures - skipped.length,
    failed,
    remarks,
  };
}

if (import.meta.main) {
  const [path = "", exitCode = ""] = Deno.args;
  const { passed, failed, remarks } = summarize(
    await Deno.readTextFile(path),
    Number(exitCode),
  );
  for (const remark of remarks) console.log(remark);
  console.log(`${passed} passed, ${failed} failed`);
  Deno.exit(failed === 0 && passed > 0 ? 0 : 1);
}
