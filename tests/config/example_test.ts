import assert from "node:assert/strict";
import { parseConfig, TABLES } from "../../src/config/mod.ts";

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

/** The text from a table's first header to the next one's. */
function sectionOf(table: string): string {
  const header = new RegExp(`^(?:# )?\\[\\[?${table}\\]\\]?$`, "m");
  const start = TEXT.search(header);
  assert.ok(start >= 0, `[${table}] is missing`);
  const rest = TEXT.slice(start).replace(header, "");
  const end = rest.search(/^(?:# )?\[/m);
  return end < 0 ? rest : rest.slice(0, end);
}
