import assert from "node:assert/strict";
import { history } from "../../plugins/history/mod.ts";
import { log } from "../../plugins/log/mod.ts";
import { otlp } from "../../plugins/otlp/mod.ts";
import { prometheus } from "../../plugins/prometheus/mod.ts";
import { readiness } from "../../plugins/readiness/mod.ts";
import { parseConfig, TABLES } from "../../src/config/mod.ts";
import type { Plugin } from "../../src/plugin/api.ts";

const TEXT = Deno.readTextFileSync(
  new URL("../../example.pgdog.toml", import.meta.url),
);

Deno.test("example.pgdog.toml: loads, and asks only for a password", () => {
  const { warnings } = parseConfig(TEXT, "example.pgdog.toml", {});
  assert.deepEqual(warnings.map(({ key }) => key), ["admin"]);
});

Deno.test("example.pgdog.toml: has every key with its default and a line on it", () => {
  for (const [table, { shape }] of Object.entries(TABLES)) {
    const section = sectionOf(table);
    for (const [key, field] of Object.entries(shape)) {
      const line = section.match(
        new RegExp(`^# .+\\n(?:# )?${key} = (.+)$`, "m"),
      );
      assert.ok(
        line !== null,
        `[${table}] ${key} is missing, or has no comment`,
      );
      const standard = field.safeParse(undefined);
      if (!standard.success || standard.data === undefined) continue;
      if (table === "databases" && key === "port") continue;
      assert.equal(
        line[1]?.replaceAll("_", ""),
        JSON.stringify(standard.data).replaceAll("_", ""),
        `[${table}] ${key}`,
      );
    }
  }
});

Deno.test("example.pgdog.toml: has every key of the plugins with its default and a line on it", () => {
  /** Keys that have no default. */
  const without: Readonly<Record<string, readonly string[]>> = {
    history: ["url", "proxy"],
    otlp: ["endpoint"],
  };
  const asked = [prometheus, otlp, log, history, readiness] as Plugin[];
  for (const plugin of asked) {
    const section = sectionOf(`plugins.${plugin.id}`);
    const lines = [...section.matchAll(/^# .+\n# (\w+ = .+)$/gm)]
      .map(([, line]) => line);
    const toml = `${TEXT}\n[plugins.${plugin.id}]\n${lines.join("\n")}`;
    const table = parseConfig(toml, "example.pgdog.toml", {}).config
      .plugins[plugin.id] ?? {};
    const keys = Object.keys(table);
    assert.ok(keys.length > 0, plugin.id);
    const required = plugin.id === "otlp" ? { endpoint: table.endpoint } : {};
    const standard = Object.entries(
      plugin.parseConfig(required) as Record<string, unknown>,
    ).filter(([key]) => !/^weight_/.test(key));
    for (const [key, value] of standard) {
      assert.deepEqual(table[key], value, `[plugins.${plugin.id}] ${key}`);
    }
    assert.deepEqual(
      keys.filter((key) => !standard.some(([known]) => known === key)),
      (without[plugin.id] ?? []).filter((key) => !(key in required)),
      "keys of no plugin",
    );
    assert.ok(plugin.parseConfig(table));
  }
});

/** The text from a table's first header to the next one's. */
function sectionOf(table: string): string {
  const header = new RegExp(`^(?:# )?\\[\\[?${table}\\]\\]?$`, "m");
  const start = TEXT.search(header);
  assert.ok(start >= 0, `[${table}] is missing`);
  const rest = TEXT.slice(start).replace(header, "");
  const end = rest.search(/^(?:# )?\[/m);
  return end < 0 ? rest : rest.slice(0, end);
}
