import assert from "node:assert/strict";
import manifest from "../deno.json" with { type: "json" };
import { loadConfig } from "../src/config/mod.ts";

const README = Deno.readTextFileSync(new URL("../README.md", import.meta.url));

Deno.test("README: every dependency is in the table, and nothing else", () => {
  const table = /\n## Dependencies\n([\s\S]*?)\n## /.exec(README)?.[1] ?? "";
  const listed = table.split("\n")
    .filter((line) => /^\| `/.test(line))
    .flatMap((line) => line.split("|")[1] ?? "")
    .flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)])
    .map(([, name]) => name);
  assert.deepEqual(listed.sort(), Object.keys(manifest.imports).sort());
});

Deno.test("README: its configuration loads", async () => {
  const toml = /```toml\n([\s\S]*?)```/.exec(README)?.[1];
  assert.ok(toml);
  const path = await Deno.makeTempFile({ suffix: ".toml" });
  try {
    await Deno.writeTextFile(path, toml);
    await Deno.chmod(path, 0o600);
    const { config, warnings } = await loadConfig({ path, env: {} });
    assert.deepEqual(warnings, []);
    assert.equal(config.mirroring.length, 1);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("README: its tasks exist", () => {
  const tasks = [...README.matchAll(/deno(?:@[\d.]+)? task (\w+)/g)]
    .map(([, task]) => task);
  assert.ok(tasks.length > 0);
  for (const task of tasks) {
    assert.ok(task && task in manifest.tasks, `${task}`);
  }
});

Deno.test("SECURITY: every test that holds a promise exists", async () => {
  const text = await Deno.readTextFile(
    new URL("../SECURITY.md", import.meta.url),
  );
  const paths = [...text.matchAll(/`(tests\/[\w/]+\.ts)`/g)].map(([, path]) =>
    path ?? ""
  );
  assert.ok(paths.length > 30);
  for (const path of new Set(paths)) {
    const { isFile } = await Deno.stat(new URL(`../${path}`, import.meta.url));
    assert.ok(isFile, path);
  }
  const rows = [...text.matchAll(/^\| (\d+)\. .*tests\//gm)];
  assert.deepEqual(rows.map(([, n]) => Number(n)), [
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
  ]);
});
