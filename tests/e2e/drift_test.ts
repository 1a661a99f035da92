import assert from "node:assert/strict";
import postgres from "postgres";
import type { DriftFinding } from "../../plugins/readiness/drift.ts";
import type { GivenRow } from "../../plugins/readiness/given.ts";
import { startCluster } from "../support/cluster.ts";
import { prepare, run } from "../support/judged.ts";
import { freePort, type ProxyOptions, TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";

const SCHEMA = `
  drop schema if exists other cascade;
  create schema other;
  create table other.jobs (id int primary key, v text);
  insert into other.jobs values (1, 'a');
  create table customers (id int primary key, name text);
  insert into customers values (1, 'ann'), (2, 'bob');
  create table jobs (
    id serial primary key, v text unique, customer int references customers
  );
  insert into jobs select i, 'old ' || i from generate_series(1, 3) i;
  select setval('jobs_id_seq', 3);
  create table tasks (id int primary key, job int references jobs);
  create view old_jobs as select * from jobs where id < 100;
  create table audit (v text);
  create function audit() returns trigger language plpgsql as
    $$begin insert into audit values (new.v); return null; end$$;
  create trigger audited after update on jobs for each row
    execute function audit();
  create table notes (id uuid primary key default gen_random_uuid(), v text);
  create table stamped (id int primary key, at timestamptz default now(), v text);
  create table seen (id int primary key, at timestamptz, v text);
  insert into seen values (7, '2000-01-01', 'a');
  create table seen_at (hash text, v text);
  create function seen_at() returns trigger language plpgsql as $$
    declare hash text;
    begin
      hash = md5(new.at::text);
      insert into seen_at values (hash, new.v); return null;
    end$$;
  create trigger seen_at after update on seen for each row
    execute function seen_at();
  create table prices (id int primary key, price int);
  insert into prices values (1, 10), (2, 20);
  create function loud(text) returns text language sql
    return upper($1);
`;
/** Chance has given the mirror other numbers. */
const DRIFT = "select setval('jobs_id_seq', 100)";
const JOB = "insert into jobs (v) values ('a')";
const RETURNED = "insert into jobs (v) values ('a') returning id";
const PRICE = "select price from prices where id = 2";
const CHEAPER = "update prices set price = 1 where id = 2";

interface Case {
  readonly name: string;
  /** On the mirror, before the first client comes. */
  readonly change?: string;
  /** Statements of a client, one after the other; `{}` is the cell that the last row's first column had. */
  readonly statements: readonly string[];
  readonly general?: NonNullable<ProxyOptions["general"]>;
  readonly more?: string;
  /** Columns that are named, with what depends on them. */
  readonly named: Readonly<Record<string, Partial<DriftFinding>>>;
  /** Default: "INCONCLUSIVE" if columns are named, else "NOT READY". */
  readonly state?: string;
}

const ID = "sequence_drift public.jobs.id";

const CASES: readonly Case[] = [
  {
    name: "rows that are found by a number of the mirror's own",
    change: DRIFT,
    statements: [JOB, "select v from jobs where id = 4"],
    named: {
      [ID]: {
        sequence: "public.jobs_id_seq",
        reason: "not returned",
        mismatches: 1,
        statements: 1,
      },
    },
  },
  {
    name: "a row that refers to such a number, and what was lost with it",
    change: DRIFT,
    statements: [
      JOB,
      "with t as (insert into tasks values (1, 4)) update customers set name = 'zoe' where id = 1",
      "select count(*) from tasks",
      "select name from customers where id = 1",
    ],
    named: { [ID]: { mismatches: 3, statements: 3 } },
  },
  {
    name: "rows that were written by such a number, and by a trigger with them",
    change: DRIFT,
    statements: [
      JOB,
      "update jobs set v = 'b' where id = 4",
      "select count(*) from jobs where v = 'b'",
      "select v from audit",
    ],
    named: { [ID]: { mismatches: 3, statements: 3 } },
  },
  {
    name: "a view",
    change: DRIFT,
    statements: [JOB, "select count(*) from old_jobs"],
    named: { [ID]: { mismatches: 1 } },
  },
  {
    name: "numbers that rows have already",
    change: "select setval('jobs_id_seq', 1)",
    statements: [JOB, "select count(*) from jobs"],
    named: { [ID]: { mismatches: 2, statements: 2 } },
    // Chance does not give a number twice.
    state: "NOT READY",
  },
  {
    name: "a token",
    statements: [
      "insert into notes (v) values ('a')",
      "select id from notes",
      "select v from notes where id = '{}'",
    ],
    named: { "default_drift public.notes.id": { mismatches: 1 } },
  },
  {
    name: "a time",
    statements: [
      "insert into stamped (id) values (1)",
      "select at::text from stamped",
      "select v from stamped where at = '{}'",
    ],
    named: { "default_drift public.stamped.at": { mismatches: 1 } },
  },
  {
    name: "the setting says so",
    change: DRIFT,
    statements: [RETURNED, "select v from jobs where id = 4"],
    general: { mirror_values: "own" },
    named: { [ID]: { reason: "own", mismatches: 1 } },
  },
  {
    name: "currval()",
    change: DRIFT,
    statements: [
      RETURNED,
      "select currval('jobs_id_seq')",
      "insert into jobs (v) values ('b') returning id",
      "select v from jobs where id = 5",
    ],
    named: { [ID]: { reason: "currval" } },
  },
  {
    name: "rows that are found by such a number, and a defect of another table",
    change: `${DRIFT}; ${CHEAPER}`,
    statements: [JOB, "select v from jobs where id = 4", PRICE, PRICE],
    named: { [ID]: { mismatches: 1 } },
    state: "NOT READY",
  },
  // And what is not to be blamed on them.
  {
    name: "equal servers and RETURNING",
    change: DRIFT,
    statements: [
      RETURNED,
      "select v from jobs where id = 4",
      ...Array(10).fill(PRICE),
    ],
    named: {},
    state: "READY",
  },
  {
    name: "a defect of a table that is told",
    change: `${DRIFT}; ${CHEAPER}`,
    statements: [
      RETURNED,
      "update jobs set v = loud(v) where id = 4",
      PRICE,
    ],
    named: {},
  },
  {
    name: "a key that only the mirror has, beside a number that is told",
    change: "insert into jobs (v) values ('a')",
    statements: [RETURNED],
    named: {},
  },
  {
    name: "a defect of the same table, where the number has no part in it",
    change: `${DRIFT}; update jobs set v = 'wrong' where id = 1`,
    statements: [
      JOB,
      "select v from jobs where v = 'old 1'",
      "select count(*) from jobs where v = 'old 1'",
    ],
    named: {},
  },
  {
    name: "a defect of another table",
    change: `${DRIFT}; ${CHEAPER}`,
    statements: [JOB, PRICE],
    named: {},
  },
  {
    name: "a defect of the table that it refers to",
    change: `${DRIFT}; update customers set name = 'eve' where id = 2`,
    statements: [
      JOB,
      "update customers set id = id where id = 2 returning name",
    ],
    named: {},
  },
  {
    name: "a defect of a table that refers to it, where nothing was lost",
    change: `${DRIFT}; insert into tasks values (2, null)`,
    statements: [JOB, "select count(*) from tasks"],
    named: {},
  },
  {
    name: "a defect of another schema's table",
    change: `${DRIFT}; update other.jobs set v = 'b'`,
    statements: [JOB, "select v from other.jobs where id = 1"],
    named: {},
  },
  {
    name: "a function that the mirror does not have",
    change: `${DRIFT}; drop function loud`,
    statements: [
      JOB,
      "select loud(v) from jobs where id > 0",
      "update jobs set v = loud(v) where id = 4",
    ],
    named: {},
  },
  {
    name: "a column that has another type",
    change:
      `${DRIFT}; drop view old_jobs; alter table jobs alter v type varchar(9)`,
    statements: [JOB, "select id, v from jobs"],
    named: {},
  },
  {
    name: "a wrong value beside a time that nobody asks for",
    change: "alter table stamped alter v set default 'wrong'",
    statements: [
      "insert into stamped (id) values (1)",
      "select v from stamped where id = 1",
    ],
    named: {},
  },
  {
    name: "a defect of rows of which only a time is the mirror's own",
    change: "update seen set v = 'wrong' where id = 7",
    statements: [
      ...Array(2).fill("update seen set at = now() where id = 7"),
      "update seen set at = now() where v = 'a'",
      "select v from seen where id = 7",
      "select string_agg(v, ' ') from seen",
    ],
    named: {},
  },
  {
    name: "that time",
    statements: [
      "update seen set at = now() where id = 7",
      "select at::text from seen",
      "select v from seen where at = '{}'",
    ],
    named: { "default_drift public.seen.at": { mismatches: 1 } },
  },
  {
    name: "rows that a trigger has written by that time",
    statements: [
      ...Array(2).fill("update seen set at = now() where id = 7"),
      "select hash from seen_at order by ctid desc",
      "select v from seen_at where hash = '{}'",
    ],
    named: { "default_drift public.seen.at": { mismatches: 2 } },
  },
  {
    name: "rows that are found by that time",
    change: "update seen set v = 'wrong' where id = 7",
    statements: [
      "update seen set at = now() where id = 7",
      "update seen set v = v || '!' where at > '2001-01-01'",
      "select v from seen where id = 7",
    ],
    named: { "default_drift public.seen.at": { mismatches: 1 } },
  },
  {
    name: "what a rule accepts",
    change: DRIFT,
    statements: [
      JOB,
      "select v from jobs where id = 4",
      ...Array(10).fill(PRICE),
    ],
    more: '[[ignore]]\nclass = "row_count"\nreason = "known"\n',
    named: {},
    state: "READY",
  },
];

interface Answer {
  readonly state: string;
  readonly causes: readonly string[];
  readonly given: readonly GivenRow[];
  readonly evidence: {
    readonly drift: readonly DriftFinding[];
    readonly mismatches: number;
  };
}

Deno.test({
  name: "drift: what the mirror fills by itself is named as a cause",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "15" });
    for (const one of CASES) {
      const { name, change, statements, named, state, ...options } = one;
      await t.step(name, async () => {
        for (const server of [primary, mirror]) await prepare(server, SCHEMA);
        if (change !== undefined) await run(mirror, change);
        const { answer, shown, text, report } = await judged(
          { primary, mirror, ...options },
          statements,
        );
        const { drift, mismatches } = answer.evidence;
        const found = new Map(
          drift.map((it) => [`${it.kind} ${it.relation}.${it.column}`, it]),
        );
        assert.deepEqual([...found.keys()], Object.keys(named), text);
        const withheld = found.size > 0 ? "INCONCLUSIVE" : "NOT READY";
        assert.equal(answer.state, state ?? withheld, text);
        assert.equal(mismatches > 0, answer.state === "NOT READY", text);
        assert.equal(answer.causes.length, found.size, text);
        assert.equal(report.includes("Likely cause: "), found.size > 0, report);
        for (const [key, wanted] of Object.entries(named)) {
          const it = found.get(key);
          assert.ok(it, text);
          assert.deepEqual({ ...it, ...wanted }, it);
          const [cause] = answer.causes;
          for (const part of [it.kind, it.relation, it.cure]) {
            assert.ok(cause?.includes(part), text);
          }
          const row = shown.find(({ relation, column }) =>
            relation === it.relation && column === it.column
          );
          assert.equal(Number(row?.mismatches), it.mismatches, text);
          assert.ok(String(row?.reason).startsWith(`${it.reason}: `), text);
        }
      });
    }
  },
});

/** What is asked of a column, in so many statements, and what SHOW MIRROR GIVEN says of it. */
interface Reason {
  readonly schema: string;
  /** On the mirror. */
  readonly change?: string;
  readonly statements: readonly string[];
  readonly general?: NonNullable<ProxyOptions["general"]>;
  /** As `column: given rows, reasons`. */
  readonly shown: readonly string[];
}

const REASONS: readonly Reason[] = [
  {
    schema:
      "create table t (id serial primary key, u uuid default gen_random_uuid(), at timestamptz default now(), v text)",
    statements: [
      "insert into t (v) values ('a'), ('b') returning id, u",
      "insert into t (v) values ('c') returning *",
      "insert into t (id, u, at) values (10, gen_random_uuid(), '2026-01-01')",
    ],
    shown: [
      "public.t.at: 1, not returned: 1",
      "public.t.id: 3, null",
      "public.t.u: 3, not returned: 1",
    ],
  },
  {
    schema: `create table t (id serial primary key, v text);
      create table other (id int default nextval('t_id_seq'))`,
    statements: [
      "insert into other default values",
      "insert into t (v) values ('a') returning id",
    ],
    shown: [
      "public.other.id: 0, not returned: 1",
      "public.t.id: 0, not returned: 1",
    ],
  },
  {
    schema: `create table t (id int primary key, at timestamptz, day date
        generated always as ((at at time zone 'UTC')::date) stored);
      create function f() returns trigger language plpgsql as
        $$begin new.at := now(); return new; end$$;
      create trigger x before insert on t for each row execute function f()`,
    statements: ["insert into t values (1) returning at"],
    shown: ["public.t.at: 0, trigger: 1", "public.t.day: 0, computed: 1"],
  },
  {
    schema: "create table t (id serial primary key, v text)",
    change: "create rule r as on insert to t do also select 1",
    statements: ["insert into t (v) values ('a') returning id"],
    shown: ["public.t.id: 0, no privilege: 1"],
  },
  {
    schema: "create table t (at timestamp default localtimestamp, v text)",
    change: "alter database postgres set timezone = 'Asia/Tokyo'",
    statements: ["insert into t (v) values ('a') returning at"],
    shown: ["public.t.at: 0, another moment: 1"],
  },
  {
    schema: `create table t (id serial primary key, v text);
      insert into t (v) values ('a'), ('b'), ('c')`,
    change: "select setval('t_id_seq', 1)",
    statements: [
      "insert into t (v) values ('d') returning id",
      "insert into t (v) values ('e') returning id",
    ],
    shown: ["public.t.id: 0, behind: 2"],
  },
];

Deno.test({
  name: "drift: SHOW MIRROR GIVEN says what is given, and why not",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "15" });
    for (const { schema, change, statements, shown, ...options } of REASONS) {
      await t.step(shown.join("; "), async () => {
        await run(mirror, "alter database postgres reset timezone");
        for (const server of [primary, mirror]) await prepare(server, schema);
        if (change !== undefined) await run(mirror, change);
        const found = await judged({ primary, mirror, ...options }, statements);
        const lines = found.shown.map((row) =>
          `${row.relation}.${row.column}: ${row.given_rows}, ${row.reason}`
        );
        assert.deepEqual(lines.sort(), shown, found.text);
        const given = found.answer.given.map((row) =>
          `${row.relation}.${row.column}: ${row.givenRows}, ${row.reason}`
        );
        assert.deepEqual(given.sort(), shown, found.text);
        for (const { drawn, since, cure } of found.shown) {
          assert.equal(since !== null, Number(drawn) > 0, found.text);
          assert.equal(cure !== null, Number(drawn) > 0, found.text);
        }
      });
    }
  },
});

async function judged(options: ProxyOptions, statements: readonly string[]) {
  const port = freePort();
  await using proxy = await TestProxy.start({
    ...options,
    general: {
      mirror_min_runtime_hours: 0,
      mirror_min_requests: 1,
      mirror_max_latency_ratio: 1_000,
      openmetrics_port: port,
      ...options.general,
    },
    more: `[plugins.readiness]\nmin_pairs = 2\n${options.more ?? ""}`,
  });
  await waitFor(
    "the schema to be known",
    () => proxy.logs.some((line) => line.includes("schema is known")),
    10_000,
  );
  const sql = postgres(proxy.url(), { max: 1, fetch_types: false });
  let cell = "";
  for (const text of statements) {
    const rows = await sql.unsafe(text.replace("{}", cell)).simple();
    cell = String(Object.values(rows[0] ?? {})[0] ?? cell);
  }
  await sql.end();
  const ledger = await proxy.settled();
  const counted = Object.values(ledger.statements).reduce((a, b) => a + b, 0);
  const answer = async (): Promise<Answer> =>
    await (await fetch(`http://127.0.0.1:${port}/readiness`)).json();
  await waitFor(
    "the statements to be reported",
    () =>
      proxy.supervisor.statements().reduce((n, { calls }) => n + calls, 0) >=
        counted,
    10_000,
  );
  const found = await answer();
  const shown = await proxy.admin("SHOW MIRROR GIVEN");
  const text = JSON.stringify({ ...found, shown }, null, 1);
  const report = await fetch(`http://127.0.0.1:${port}/report`);
  return { answer: found, shown, text, report: await report.text() };
}
