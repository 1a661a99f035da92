import assert from "node:assert/strict";
import { join } from "node:path";
import type { DemoReport } from "../../../src/cli/demo/mod.ts";

const REPOSITORY = join(import.meta.dirname ?? "", "../../..");

const total = (counts: Readonly<Record<string, number>>) =>
  Object.values(counts).reduce((sum, n) => sum + n, 0);

Deno.test("demo: finds the planted breakage, loses nothing, and ends with JSON", async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "main.ts", "demo", "--duration", "3", "--json"],
    cwd: REPOSITORY,
    stdin: "null",
  }).output();
  const human = new TextDecoder().decode(stderr);
  assert.equal(code, 0, human);
  const lines = new TextDecoder().decode(stdout).trimEnd().split("\n");
  assert.equal(lines.length, 1, "text for people goes to standard error");
  const report: DemoReport = JSON.parse(lines[0] ?? "");

  assert.match(report.primary.version, /^15\./);
  assert.match(report.mirror.version, /^18\./);
  const { requests, errors, latency_ms: latency } = report;
  assert.ok(requests.seen > 100);
  assert.equal(requests.pending, 0, human);
  assert.equal(
    requests.seen,
    total(requests.excluded) + total(requests.dropped) + requests.replayed +
      total(requests.failed),
  );
  assert.equal(total(requests.dropped) + total(requests.failed), 0, human);
  assert.ok(errors.query > 0);
  assert.ok((latency.primary.p50 ?? 0) > 0 && (latency.mirror.p99 ?? 0) > 0);

  assert.match(human, /page +http:\/\/127\.0\.0\.1:\d+\//);
  assert.match(human, /psql postgres:\/\/postgres@127\.0\.0\.1:\d+\/shop/);
  // Nothing but the planted statement differed.
  const [, failed, planted] =
    /(\d+) statements worked on .*; (\d+) of them were planted/.exec(human) ??
      [];
  assert.equal(failed, planted, human);
  assert.match(human, /All 6 tables hold the same rows/);
});

Deno.test("demo: with --keep it stays up until it is told to end", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "main.ts", "demo", "--duration", "1", "--keep"],
    cwd: REPOSITORY,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let text = "";
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (!text.includes("Still running")) continue;
    const page = /page +(\S+)/.exec(text)?.[1] ?? "";
    const response = await fetch(page);
    assert.equal(response.status, 200);
    await response.body?.cancel();
    child.kill("SIGINT");
    break;
  }
  assert.equal((await child.status).code, 0, text);
});
