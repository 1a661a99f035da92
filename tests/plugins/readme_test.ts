import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { mirrorStats } from "../../plugins/mirror_stats/mod.ts";
import { prometheus } from "../../plugins/prometheus/mod.ts";
import { loadUserPlugins } from "../../src/cli/user_plugins.ts";
import { loadConfig } from "../../src/config/mod.ts";
import { loadProbes } from "../../src/plugin/mod.ts";
import { ProbeSet } from "../../src/plugin/probe_set.ts";
import { Stripe } from "../../src/stats/mod.ts";
import { hostOf } from "../plugin/fixture.ts";
import { waitFor } from "../support/wait.ts";
import { records } from "./fixture.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const README = Deno.readTextFileSync(join(ROOT, "plugins", "README.md"));

const DATABASES = `
[[databases]]
name = "shop"
host = "localhost"
`;

/** The example's files, each a code block below its name. */
async function withExample<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "pgdog-mirror-example-" });
  try {
    const blocks = [
      ...README.matchAll(/^`([\w.]+)`.*:\n\n```\w+\n([\s\S]*?)\n```$/gm),
    ];
    assert.deepEqual(blocks.map(([, name]) => name), [
      "slow_statements.ts",
      "slow_statements_probe.ts",
      "pgdog.toml",
    ]);
    for (const [, name = "", text = ""] of blocks) {
      const path = join(folder, name);
      await Deno.writeTextFile(
        path,
        name.endsWith(".toml") ? `${DATABASES}\n${text}` : text,
      );
    }
    return await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The example at work, beside the built-in plugins, as the program loads it. */
async function started(folder: string) {
  const path = join(folder, "pgdog.toml");
  const { config } = await loadConfig({ path, env: {} });
  const { host, registry, logs } = hostOf([
    mirrorStats,
    prometheus,
    ...await loadUserPlugins(config, path),
  ], {
    config: config.plugins,
    general: { ...config.general },
    sampleMs: 1,
  });
  const stripe = new Stripe(registry.freeze({ stripes: 1 }), 0);
  const probes = await loadProbes(
    host.probes,
    { role: "mirror", stripe },
    (module, error) => assert.fail(`${module}: ${error}`),
  );
  assert.ok(probes instanceof ProbeSet);
  return { host, logs, probes, series: stripe.series(["shop", "new", "ann"]) };
}

Deno.test("plugins/README: the example counts, shows, exports and warns", async () => {
  await withExample(async (folder) => {
    const { host, logs, probes, series } = await started(folder);
    await host.start();
    try {
      probes.primaryStatement(series, 0.2);
      probes.primaryStatement(series, 0.01);
      for (let i = 0; i < 6; i++) probes.mirrorStatement(series, 0.1);
      const show = host.commands
        .find(({ words }) => words === "SHOW SLOW_STATEMENTS");
      assert.ok(show);
      assert.deepEqual(records(show), [
        { database: "shop", user: "ann", target: "primary", count: 1 },
        { database: "shop", user: "ann", target: "mirror", count: 6 },
      ]);
      const get = async (path: string) => {
        const route = host.routes.find((route) => route.path === path);
        const response = await route?.handle(new Request("http://localhost/"));
        return await response?.text() ?? "";
      };
      assert.equal(await get("/slow"), '{"slow":7}');
      assert.match(
        await get("/metrics"),
        /^pgdog_slow_statements_total\{.*target="mirror"\} 6$/m,
      );
      await waitFor("the warning", () => logs.length > 0, 5_000);
      assert.deepEqual(logs, [
        'warn slow_statements: Many slow statements {"lastSecond":7}',
      ]);
    } finally {
      await host.close();
    }
  });
});

Deno.test("plugins/README: the example refuses a wrong configuration", async () => {
  await withExample(async (folder) => {
    const path = join(folder, "pgdog.toml");
    const { config } = await loadConfig({ path, env: {} });
    const [plugin] = await loadUserPlugins(config, path);
    assert.deepEqual(plugin?.parseConfig(undefined), { warn_at: 10 });
    assert.throws(() => plugin?.parseConfig({ warnat: 1 }), /"warnat"/);
    assert.throws(() => plugin?.parseConfig({ warn_at: 0 }), /warn_at is 0/);
  });
});

Deno.test("plugins/README: the example's types are right", async () => {
  await withExample(async (folder) => {
    await Deno.symlink(join(ROOT, "src"), join(folder, "src"));
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "check",
        "--config",
        join(ROOT, "deno.json"),
        "slow_statements.ts",
        "slow_statements_probe.ts",
      ],
      cwd: folder,
      env: { NO_COLOR: "1" },
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
  });
});

Deno.test("plugins/README: names every built-in plugin, every hook of a probe, and every key of a metric", () => {
  const inTable = (word: string) => README.includes(`| \`${word}\``);
  for (const { isDirectory, name } of Deno.readDirSync(join(ROOT, "plugins"))) {
    if (isDirectory) assert.ok(inTable(name), name);
  }
  const hooks = Object.getOwnPropertyNames(ProbeSet.prototype)
    .filter((name) => name !== "constructor");
  for (const hook of hooks) assert.ok(inTable(hook), hook);
  const spec = Deno.readTextFileSync(join(ROOT, "src/stats/spec.ts"));
  const keys = /interface MetricSpec \{([\s\S]*?)\n\}/.exec(spec)?.[1] ?? "";
  const found = [...keys.matchAll(/^ {2}readonly (\w+)/gm)];
  assert.ok(found.length > 8);
  for (const [, key] of found) {
    assert.ok(
      README.includes(`- \`${key}`) || README.includes(` \`${key}`),
      `${key}`,
    );
  }
});
