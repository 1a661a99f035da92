import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { analyze } from "../../src/sql/analyze.ts";
import postgres from "postgres";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { prepare, resultsOf, run } from "../support/judged.ts";
import { TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";
import type { StatementSummary } from "../../src/stats/mod.ts";

await loadModule();

const SCHEMA = `
  create table account (
    id serial primary key, email text not null unique, name text, logins int default 0,
    created_at timestamptz not null default now(), updated_at timestamptz
  );
  insert into account (email, name, created_at, updated_at)
    select 'user' || i || '@example.org', 'user ' || i, '2026-01-01', '2026-01-01'
    from generate_series(1, 500) i;
  create table session (
    id int primary key, account_id int references account on delete cascade,
    token text unique, expires_at timestamptz
  );
  insert into session select i, i, 'token ' || i, timestamptz '2100-01-01Z'
    from generate_series(1, 300) i;
  create table job (id int primary key, state text, run_at timestamptz);
  insert into job select i, 'new', timestamptz '2020-01-01Z' from generate_series(1, 100) i;
  create table pg_search_documents (id int primary key, content text);
  insert into pg_search_documents select i, 'text ' || i from generate_series(1, 100) i;
  analyze;
`;

const ROWS = "mismatch_row_count";
const TAG = "mismatch_command_tag";
const CONTENTS = "mismatch_rows";

/** Statements as object mappers send them, each with values, and what becomes of it on a mirror without rows. */
const STATEMENTS: readonly [
  sql: string,
  values: readonly (string | number)[],
  empty: string,
][] = [
  [
    "select account.* from account where account.id = $1 limit $2",
    [7, 1],
    ROWS,
  ],
  ["select * from account where id = 7 limit 1", [], ROWS],
  ["select id, email from account where email = $1 limit 21", [
    "user7@example.org",
  ], ROWS],
  [
    "select id, name from account where logins = 0 limit 10 offset 20",
    [],
    ROWS,
  ],
  ["select 1 as one from account where email = $1 limit $2", [
    "user8@example.org",
    1,
  ], ROWS],
  ["select * from account order by account.id asc limit 1", [], ROWS],
  ["select name from account where id < 9 order by created_at", [], ROWS],
  ["select name from account order by created_at desc limit 10", [], ROWS],
  ["select * from session where token = $1 and expires_at > now()", [
    "token 5",
  ], ROWS],
  ["select id from session where expires_at > current_timestamp", [], ROWS],
  [
    "select name from account where id = (select account_id from session where token = 'token 5' and expires_at > now())",
    [],
    ROWS,
  ],
  [
    "select account_id from session where token in ('token 5') and expires_at > now()",
    [],
    ROWS,
  ],
  [
    "with s as (select account_id from session where token = concat('token ', 5) and expires_at > now()) select name from account a join s on s.account_id = a.id",
    [],
    ROWS,
  ],
  [
    "select count(*) from session where token = $1 and expires_at > now()",
    ["token 5"],
    CONTENTS,
  ],
  [
    "update account set logins = 1 where email = concat('user', 6, '@example.org') and created_at < now()",
    [],
    TAG,
  ],
  ["select id, now() as loaded_at from account where id = $1", [3], ROWS],
  [
    "select s.id from session s join account a on a.id = s.account_id and s.expires_at > now() where a.id = 4",
    [],
    ROWS,
  ],
  [
    "select id, date_trunc('day', now()) from job where state = $1",
    ["new"],
    ROWS,
  ],
  ["select exists(select 1 from account where email = $1 limit 1)", [
    "user9@example.org",
  ], CONTENTS],
  ["select count(*) from account where logins = 0", [], CONTENTS],
  [
    "select count(*) from (select 1 as one from account limit 11) s",
    [],
    CONTENTS,
  ],
  ["select id, content from pg_search_documents where id < 5", [], ROWS],
  ["update account set updated_at = now() where id = $1", [11], TAG],
  [
    "update account set logins = logins + 1, updated_at = current_timestamp where id = 12 returning *",
    [],
    ROWS,
  ],
  [
    "update session set expires_at = now() + interval '1 day' where token = $1",
    [
      "token 13",
    ],
    TAG,
  ],
  [
    "update job set state = 'run' where id = (select id from job where run_at <= now() and state = 'new' order by id limit 1 for update skip locked) returning id",
    [],
    ROWS,
  ],
  [
    "update job set run_at = now() where id in (select id from job where state = 'new' limit 5)",
    [],
    TAG,
  ],
  [
    "insert into account (email, name) values ('user14@example.org', $1) on conflict (email) do nothing",
    [
      "again",
    ],
    TAG,
  ],
  [
    "with gone as (delete from session where id = $1 returning id, now()) select * from gone",
    [
      15,
    ],
    ROWS,
  ],
  ["delete from account where id = $1", [16], TAG],
  ["delete from session where expires_at > now() and id < 40", [], TAG],
  [
    "delete from job where id in (select id from job where state = $1 limit 10)",
    [
      "new",
    ],
    TAG,
  ],
];

/** Statements that differ by nature on equal servers, or on none. */
const BY_NATURE = [
  "insert into account (email, name) values ('new' || random() || '@example.org', 'new') returning *",
  "select id, random() from account where id < 5",
  "select 'now'::timestamptz",
  "select current_date, localtimestamp",
  "select id from account where random() < 0.5",
  "select pg_my_temp_schema(), pg_control_system()",
  "select 'account'::regclass::oid",
];

Deno.test({
  name:
    "judge: a mirror without rows is found by each statement that reads or hits one, its twin by none",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "15" });

    await t.step("without rows", async () => {
      await prepare(primary, SCHEMA);
      await prepare(mirror, SCHEMA);
      await run(
        mirror,
        "truncate account, session, job, pg_search_documents",
      );
      const found = await ask(primary, mirror, STATEMENTS);
      for (const [sql, , result] of STATEMENTS) {
        const results = resultsOf(found.filter(isOf(sql)));
        assert.equal(results[result], 1, `${sql}: ${JSON.stringify(results)}`);
        assert.deepEqual(Object.keys(results), [result], sql);
      }
    });

    await t.step("the twin", async () => {
      await prepare(primary, SCHEMA);
      await prepare(mirror, SCHEMA);
      const statements = [
        ...STATEMENTS,
        ...BY_NATURE.map((sql) => [sql, [], "match"] as const),
      ];
      const found = await ask(primary, mirror, statements);
      for (const [sql] of statements) {
        const results = Object.keys(resultsOf(found.filter(isOf(sql))));
        assert.deepEqual(
          results.filter((result) => !/^(match|noise_)/.test(result)),
          [],
          sql,
        );
      }
    });
  },
});

function isOf(sql: string) {
  const fingerprint = analyze(sql)?.shapes[0]?.fingerprint;
  return (summary: StatementSummary) => summary.fingerprint === fingerprint;
}

/** Sends each statement once, and gives what is known of all. */
async function ask(
  primary: Cluster,
  mirror: Cluster,
  statements:
    readonly (readonly [string, readonly (string | number)[], string])[],
): Promise<readonly StatementSummary[]> {
  await using proxy = await TestProxy.start({ primary, mirror });
  const sql = postgres(proxy.url(), { max: 1, fetch_types: false });
  for (const [text, values] of statements) {
    await sql.unsafe(text, [...values], { prepare: values.length > 0 });
  }
  await sql.end();
  const ledger = await proxy.settled();
  assert.equal(ledger.replayed, ledger.seen, JSON.stringify(ledger));
  await waitFor(
    "the statements to be reported",
    () =>
      proxy.supervisor.statements().reduce(
        (sum, { calls }) => sum + calls,
        0,
      ) >=
        statements.length,
    5_000,
  );
  return proxy.supervisor.statements();
}
