import assert from "node:assert/strict";
import {
  prepareSchema,
  withoutRules,
} from "../../../plugins/history/schema.ts";
import { openSqlite } from "../../../plugins/history/connections.ts";

const pairs = [{ database: "shop", mirror: "next" }];
const config = (...mirroring: unknown[]) =>
  JSON.stringify([pairs, JSON.stringify(mirroring), ["rows", 1]]);
const RULES = [{ class: "rows", reason: "known" }];

Deno.test("withoutRules: what differs in rules only is equal, and the rest stays", () => {
  const databases = [{ name: "shop" }];
  const without = config(databases, []);
  assert.equal(withoutRules(config(databases, [], [])), without);
  assert.equal(withoutRules(config(databases, [], RULES)), without);
  assert.notEqual(withoutRules(config([], [], RULES)), without);
  assert.equal(withoutRules("of another form"), "of another form");
});

Deno.test("prepareSchema: runs of version 2 that differed in rules are of one configuration", async () => {
  const folder = await Deno.makeTempDir();
  const connection = await openSqlite(`${folder}/h.sqlite`);
  try {
    await prepareSchema(connection, "one");
    const { execute } = connection;
    for (const [i, rules] of [[], RULES].entries()) {
      await execute(
        `insert into mirror_runs (id, started_at, last_write_at, ended, version, config)
         values ($1, 1, 1, 1, 'v', $2)`,
        [String(i), config([], [], rules)],
      );
    }
    await execute("alter table mirror_runs drop column because");
    for (const total of ["untried", "withheld", "uncompared"]) {
      await execute(`alter table mirror_ledgers drop column ${total}`);
    }
    await execute("drop table mirror_hours");
    await execute("update mirror_schema set version = 2");
    await prepareSchema(connection, "one");
    const rows = await execute("select distinct config from mirror_runs");
    assert.deepEqual(rows.map((row) => row.config), [config([], [])]);
  } finally {
    await connection.close();
    await Deno.remove(folder, { recursive: true });
  }
});
