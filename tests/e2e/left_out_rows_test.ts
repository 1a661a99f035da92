import assert from "node:assert/strict";
import postgres from "postgres";
import { onServer } from "../support/on_server.ts";
import {
  assertEqualTables,
  count,
  startLoggedTwin,
} from "../support/primary_log.ts";

const SCHEMA = `
create table tags (
  id serial primary key, name text unique, n int default 0,
  token uuid default gen_random_uuid(), at timestamptz default now()
);
insert into tags (name, n, token, at)
  select 'z' || i, 5, null, null from generate_series(0, 2) i;
`;

/** Drawn on the mirror, by nobody: its sequence is elsewhere. */
const DRIFT = "select nextval('tags_id_seq') from generate_series(1, 1000)";

const OWN = "makes a column's values by itself";
const NOTHING = "on conflict do nothing";
const STATEMENTS = [
  `insert into tags (name) values ($1), ($2), ($3) ${NOTHING}`,
  `insert into tags (name) values ($1), ($2), ($3) ${NOTHING} returning id`,
  `insert into tags (name) values ($1), ($2), ($3) ${NOTHING}
   returning id, token, at`,
  `insert into tags as t (name, n) values ($1, 1), ($2, 2), ($3, 3)
   on conflict (name) do update set n = 4 where t.n < 4`,
];

/** Inserts rows of which others have inserted some: the left out one is in each place. */
async function tag(url: string, who: number, steps: number): Promise<void> {
  const sql = postgres(url, {
    max: 1,
    prepare: who % 2 === 0,
    fetch_types: false,
    onnotice() {},
  });
  const isSimple = who === 1;
  try {
    for (let i = 0; i < steps; i++) {
      for (const [s, text] of STATEMENTS.entries()) {
        const values = [`${who} ${i} ${s} a`, `${who} ${i} ${s} b`];
        values.splice(i % 3, 0, `z${(who + i + s) % 3}`);
        await (isSimple
          ? sql.unsafe(text.replace(/\$(\d)/g, (_, n) => `'${values[n - 1]}'`))
          : sql.unsafe(text, values, { prepare: who % 2 === 0 }));
      }
    }
  } finally {
    await sql.end();
  }
}

for (const version of ["15", "18"] as const) {
  Deno.test({
    name:
      `primary's log: rows are the primary's where others of VALUES are left out, 15 -> ${version}`,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      await using twin = await startLoggedTwin({ schema: SCHEMA, version });
      const { mirror, proxy } = twin;
      await onServer(mirror, (sql) => sql.unsafe(DRIFT));
      await Promise.all(
        Array.from({ length: 4 }, (_, who) => tag(proxy.url(), who, 9)),
      );
      const { statements } = await proxy.settled();
      assert.deepEqual(Object.keys(statements), ["match"]);
      assert.equal(count(proxy, "mirror_log_missed_total"), 0);
      await assertEqualTables(twin, ["tags"]);
    },
  });
}

Deno.test({
  name:
    "primary's log: a row that the mirror lacks is found where the primary leaves it out",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using twin = await startLoggedTwin({
      schema: SCHEMA,
      defect: "delete from tags where name = 'z1'",
    });
    const { proxy } = twin;
    await onServer({ url: () => proxy.url() }, async (sql) => {
      await sql`insert into tags (name) values ('z0'), ('a') on conflict do nothing`;
      await sql`insert into tags (name) values ('z1'), ('b') on conflict do nothing`;
    });
    const { statements } = await proxy.settled();
    const found = Object.keys(statements).filter((result) =>
      result.startsWith("mismatch")
    );
    assert.deepEqual(
      found.map((result) => [result, statements[result]]),
      [["mismatch_command_tag", 1]],
    );
  },
});

for (const isBehind of [true, false]) {
  Deno.test({
    name: `primary's log: a sequence is ${
      isBehind ? "found behind" : "in step"
    } where rows in front are left out`,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      await using twin = await startLoggedTwin({ schema: SCHEMA });
      const { primary, proxy } = twin;
      if (isBehind) await onServer(primary, (sql) => sql.unsafe(DRIFT));
      const sql = postgres(proxy.url(), { max: 1, fetch_types: false });
      for (const name of ["a", "b", "c"]) {
        await sql`insert into tags (name) values ('z0'), ('z1'), (${name})
          on conflict do nothing`;
      }
      await sql`insert into tags (name) values ('d'), ('z0')
        on conflict do nothing returning id`;
      await sql.end();
      await proxy.settled();
      const found = proxy.logs.filter((line) => line.includes(OWN));
      assert.equal(found.length, isBehind ? 1 : 0, found.join());
      assert.ok(found.every((line) => line.includes("behind")));
    },
  });
}
