import assert from "node:assert/strict";
import type postgres from "postgres";
import type { Cluster } from "../support/cluster.ts";
import { LOG, mismatches, startLoggedTwin } from "../support/primary_log.ts";
import { onServer } from "../support/on_server.ts";
import type { TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";

/** A write whose second run updates what the first one inserted, if it inserts. */
interface Case {
  readonly text: string;
  /** What it draws … */
  readonly columns: readonly string[];
  /** … and where the mirror is given that. */
  readonly givenBy?: readonly ("log" | "answers")[];
  /** By a default. */
  readonly isOfDefault?: true;
}

const VALUES = "insert into settings (k, v) values ($1, $2)";
const SET = "on conflict (k) do update set v = excluded.v, updated_at";

const CASES: readonly Case[] = [
  {
    text: `${VALUES} ${SET} = now()`,
    columns: ["updated_at"],
    givenBy: ["log"],
  },
  {
    text: `${VALUES}, ($1 || 'b', $2) ${SET} = now()`,
    columns: ["updated_at"],
    givenBy: ["log"],
  },
  {
    text: `${VALUES} ${SET} = now() returning k, updated_at`,
    columns: ["updated_at"],
    givenBy: ["log", "answers"],
  },
  {
    text: `${VALUES} ${SET} = default`,
    columns: ["updated_at"],
    isOfDefault: true,
  },
  {
    text: `${VALUES} ${SET} = excluded.updated_at`,
    columns: ["updated_at"],
    isOfDefault: true,
  },
  {
    text:
      `${VALUES} ${SET} = (CASE WHEN (settings.v IS NOT DISTINCT FROM excluded.v) THEN settings.updated_at ELSE CURRENT_TIMESTAMP END)`,
    columns: ["updated_at"],
  },
  {
    text:
      `insert into settings (k, v, updated_at) values ($1, $2, current_timestamp) ${SET} = current_timestamp`,
    columns: ["updated_at"],
    givenBy: ["log"],
  },
  {
    text:
      `insert into settings (k, v, updated_at) values ($1, $2, '2026-01-01') ${SET} = now()`,
    columns: ["updated_at"],
    givenBy: ["log"],
  },
  {
    text:
      "update settings set v = $2, updated_at = default, token = default where k = $1",
    columns: ["updated_at", "token"],
    isOfDefault: true,
  },
  {
    text: "update settings set (v, updated_at) = ($2, default) where k = $1",
    columns: ["updated_at"],
    isOfDefault: true,
  },
];

const SCHEMA = CASES.map((_, i) => `
create table s${i} (k text primary key, v text,
  updated_at timestamptz default now(), token uuid default gen_random_uuid());
insert into s${i} values ('old', 'x', '2020-01-01',
  '00000000-0000-0000-0000-000000000000');
`).join("");
const LATE = CASES.map((_, i) =>
  `alter table s${i} alter updated_at set default now() + interval '1 hour';`
).join("");

const KEYS = ["new", "old", "new"];
/** Each write has another one: the log tells them apart. */
let value = 0;

/** Runs a statement for rows that are there, and that are not, by both protocols. */
async function write(sql: postgres.Sql, text: string): Promise<void> {
  for (const key of KEYS) {
    const values = [key, `v${value++}`];
    await sql.unsafe(text, values);
    values[1] = `v${value++}`;
    const simple = text.replace(/\$(\d)/g, (_, n) => `'${values[n - 1]}'`);
    await sql.unsafe(simple);
  }
}

async function read(sql: postgres.Sql, table: string): Promise<void> {
  for (const key of KEYS) {
    await sql.unsafe(`select * from ${table} where k = $1`, [key]);
  }
}

/** The results that are no match of what is done through a proxy. */
async function found(
  proxy: TestProxy,
  run: (sql: postgres.Sql) => Promise<void>,
): Promise<readonly string[]> {
  const before = await proxy.settled();
  await onServer({ url: () => proxy.url() }, run);
  const { statements } = await proxy.settled();
  return mismatches(statements).filter((result) =>
    (statements[result] ?? 0) > (before.statements[result] ?? 0)
  );
}

for (const values of ["log", "answers"] as const) {
  const options = {
    schema: SCHEMA,
    isLogged: values === "log",
    proxy: { general: { ...LOG, mirror_values: values } },
  };
  Deno.test({
    name:
      `drawn updates: what ON CONFLICT and DEFAULT set is known, and no more, with "${values}"`,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn(t) {
      await using twin = await startLoggedTwin(options);
      const { primary, mirror, proxy } = twin;
      for (const [i, { text, columns, givenBy = [] }] of CASES.entries()) {
        const table = `s${i}`;
        const own = text.replaceAll("settings", table);
        await t.step(own, async () => {
          const clean = await found(proxy, async (sql) => {
            await write(sql, own);
            await read(sql, table);
          });
          assert.deepEqual(clean, []);
          const isGiven = givenBy.includes(values);
          await waitFor(`${columns} of ${table}`, async () => {
            const shown = await proxy.admin("SHOW MIRROR GIVEN");
            const known = shown.filter(({ relation, column }) =>
              relation === `public.${table}` && columns.includes(`${column}`)
            );
            return known.length === columns.length &&
              known.every(({ given_rows, drawn }) =>
                isGiven ? Number(given_rows) >= 6 : Number(drawn) > 0
              );
          }, 10_000);
          const times = (cluster: Cluster) =>
            onServer(cluster, (sql) =>
              sql.unsafe(
                `select k, v, updated_at::text from ${table} order by k`,
              ).then((rows) => [...rows]));
          if (isGiven) {
            assert.deepEqual(await times(mirror), await times(primary));
          }
          await onServer(mirror, (sql) =>
            sql.unsafe(
              `update ${table} set updated_at = updated_at + interval '1 hour'`,
            ));
          const late = await found(proxy, (sql) => read(sql, table));
          assert.deepEqual(late, ["mismatch_rows"]);
        });
      }
    },
  });

  Deno.test({
    name: `drawn updates: a default an hour off is found, with "${values}"`,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn(t) {
      await using twin = await startLoggedTwin({ ...options, defect: LATE });
      const { proxy } = twin;
      for (const [i, { text, isOfDefault }] of CASES.entries()) {
        if (isOfDefault !== true) continue;
        const table = `s${i}`;
        const own = text.replaceAll("settings", table);
        await t.step(own, async () => {
          const late = await found(proxy, async (sql) => {
            await write(sql, own);
            await read(sql, table);
          });
          assert.deepEqual(late, ["mismatch_rows"]);
        });
      }
    },
  });
}
