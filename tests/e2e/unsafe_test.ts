import assert from "node:assert/strict";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { assertClosed } from "../support/ledgers.ts";
import { onServer } from "../support/on_server.ts";
import { TestProxy } from "../support/proxy.ts";
import {
  concat,
  extended,
  int16,
  int32,
  message,
  query,
  sync,
  WireClient,
} from "../support/wire_client.ts";

const TEST = { sanitizeOps: false, sanitizeResources: false };
/** No backend has it: the server warns, and says false. */
const PID = 2_147_483_647;

/** What both servers have. */
const SCHEMA = `
  create table t (a int);
  create table note (pg_terminate_backend text);
  create function my_pg_terminate_backend(p int) returns boolean
    language sql as 'select p > 0';
  create schema app;
  create function app.pg_reload_conf() returns boolean
    language sql as 'select true';
  create function commented() returns int language plpgsql as
    $$ begin /* not pg_switch_wal() */ return 1; -- nor pg_reload_conf()
    end $$;
  create function told() returns text language sql as
    $$ select 'pg_reload_conf()' $$;
  create function kill_sql(p int) returns boolean
    language sql as 'select pg_terminate_backend(p)';
  create function kill_immutable(p int) returns boolean immutable
    language plpgsql as 'begin return pg_cancel_backend(p); end';
  create function kill_dynamic(p int) returns boolean language plpgsql as
    $$ declare done boolean;
    begin
      execute 'select pg_terminate_' || 'backend($1)' into done using p;
      execute format('select pg_cancel_backend(%s)', p) into done;
      return done;
    end $$;
  create function kill_behind(p int) returns boolean
    language sql as 'select kill_sql(p)';
  create function kill_atomic(p int) returns boolean
    begin atomic select pg_terminate_backend(p); end;
  create function kill_alias(int, bigint) returns boolean strict
    language internal as 'pg_terminate_backend';
  create procedure kill_all(p int)
    language plpgsql as 'begin perform pg_terminate_backend(p); end';
  create view killing as select pg_terminate_backend(${PID}) as done;
  create table watched (a int);
  create function on_watched() returns trigger language plpgsql as
    'begin perform pg_reload_conf(); return new; end';
  create trigger watch before insert on watched
    for each row execute function on_watched();
  create table defaulted (a int, b boolean default pg_reload_conf());
  create function fills_watched() returns void
    language sql as 'insert into watched values (1)';
  create extension dblink;
  create extension postgres_fdw;
  create server elsewhere foreign data wrapper postgres_fdw
    options (host '127.0.0.1', port '1');
  create user mapping for current_user server elsewhere;
  create foreign table far (a int) server elsewhere;
  create table parted (a int) partition by list (a);
  create foreign table parted_1 partition of parted for values in (1)
    server elsewhere;
  create function writes_far() returns void
    language sql as 'insert into far values (1)';
  create function mentions_far() returns void language plpgsql as
    $$ begin if false then perform 1 from far; end if;
    insert into t values (1); end $$`;

const prepared = (name: string, sql: string) =>
  message("P", `${name}\0${sql}\0\0\0`);
const run = (name: string) =>
  concat([
    message("B", `\0${name}\0\0\0\0\0\0\0`),
    message("E", "\0\0\0\0\0"),
    sync(),
  ]);

/** What a client says; its mark is looked for in the mirror's log. */
type Said = (mark: string) => readonly Uint8Array[];

/** What is never replayed. */
const UNSAFE: Readonly<Record<string, Said>> = {
  ...Object.fromEntries(
    [
      `select pg_terminate_backend(${PID}) /* MARK */`,
      `select a, (select pg_catalog.pg_cancel_backend(${PID})) from t /* MARK */`,
      "select pg_reload_conf() /* MARK */",
      "select pg_rotate_logfile() /* MARK */",
      "select pg_switch_wal() /* MARK */",
      'select U&"pg\\005freload_conf"() /* MARK */',
      "select pg_create_physical_replication_slot('slot_' || pg_backend_pid()) /* MARK */",
      "select pg_drop_replication_slot('none') /* MARK */",
      "select pg_create_restore_point('x') /* MARK */",
      "select pg_replication_origin_create('o') /* MARK */",
      "select pg_read_file('PG_VERSION') /* MARK */",
      "select lo_import('/dev/null') /* MARK */",
      "select pg_promote() /* MARK */",
      "copy t to '/dev/null' /* MARK */",
      "copy t from '/dev/null' /* MARK */",
      "copy (select pg_reload_conf()) to stdout /* MARK */",
      "copy t to program 'cat > /dev/null' /* MARK */",
      "alter system set work_mem = '5MB' /* MARK */",
      "create database other_MARK",
      "create subscription s connection 'host=127.0.0.1 port=1' publication p /* MARK */",
      "explain analyze select pg_reload_conf() /* MARK */",
      "create table made_MARK as select pg_reload_conf()",
      "select query_to_xml('select pg_reload_conf()', true, true, '') /* MARK */",
      "do $$ begin perform pg_reload_conf(); end $$ /* MARK */",
      "do $$ begin execute 'select ' || 'pg_reload_conf()'; end $$ /* MARK */",
      `do $$ begin perform kill_behind(${PID}); end $$ /* MARK */`,
      `do $$ begin call kill_all(${PID}); end $$ /* MARK */`,
      "do $$ begin insert into watched values (1); end $$ /* MARK */",
      "do $$ begin copy t to '/dev/null'; end $$ /* MARK */",
      `call kill_all(${PID}) /* MARK */`,
      `select kill_sql(${PID}) /* MARK */`,
      `select kill_immutable(${PID}) /* MARK */`,
      `select kill_dynamic(${PID}) /* MARK */`,
      `select kill_behind(${PID}) /* MARK */`,
      `select kill_atomic(${PID}) /* MARK */`,
      `select kill_alias(${PID}, 0) /* MARK */`,
      "select * from killing /* MARK */",
      "insert into watched values (1) /* MARK */",
      "insert into defaulted (a) values (1) /* MARK */",
      "select fills_watched() /* MARK */",
      "select dblink_exec('host=127.0.0.1 port=1', 'select 1') /* MARK */",
      "insert into far values (1) /* MARK */",
      "insert into parted values (1) /* MARK */",
      "select writes_far() /* MARK */",
    ].flatMap((sql): [string, Said][] => [
      [sql, (mark) => [query(sql.replace("MARK", mark))]],
      [
        `${sql}, extended`,
        (mark) => [concat([extended(sql.replace("MARK", mark)), sync()])],
      ],
    ]),
  ),
  "a named statement that is prepared before it runs": (mark) => [
    concat([prepared("q", `select pg_reload_conf() /* ${mark} */`), sync()]),
    run("q"),
    run("q"),
  ],
  "PREPARE and EXECUTE": (mark) => [
    query("prepare q as select pg_reload_conf()"),
    query(`execute q /* ${mark} */`),
    query(`explain analyze execute q /* ${mark} */`),
  ],
  "a cursor": (mark) => [
    query("begin"),
    query(`declare c cursor for select pg_reload_conf() /* ${mark} */`),
    query(`fetch c /* ${mark} */`),
    query("commit"),
  ],
  "a function that the same transaction defines": (mark) => [
    query("begin"),
    query(
      `create function own_${mark}() returns boolean language sql as 'select pg_reload_conf()'`,
    ),
    query(`select own_${mark}()`),
    query("rollback"),
  ],
  "a text that is too large to be parsed": (mark) => [
    query(
      `select '${"x".repeat(300_000)}'; select pg_reload_conf() /* ${mark} */`,
    ),
  ],
  "FunctionCall of pg_reload_conf": () => [
    message("F", int32(2621), int16(0), int16(0), int16(0)),
  ],
  "session state in the same text": (mark) => [
    query(`select set_config('app.x', '${mark}', false), pg_reload_conf()`),
  ],
};

/** What only looks like it, and is replayed. */
const SAFE: readonly string[] = [
  "select count(*) from pg_stat_get_activity(null) where false",
  `select my_pg_terminate_backend(${PID})`,
  "select app.pg_reload_conf()",
  "select pg_terminate_backend from note",
  "insert into note values ('select pg_terminate_backend(1)')",
  "select 'pg_reload_conf()' /* pg_reload_conf() */",
  "select commented(), told(), mentions_far()",
  "do $$ begin perform 1; -- pg_reload_conf()\n end $$",
  "do $$ begin raise notice 'pg_reload_conf()'; end $$",
  "create function later() returns boolean language sql as 'select pg_reload_conf()'",
  "create view later_view as select pg_reload_conf() as done",
  "prepare p as select pg_reload_conf()",
  "select pg_current_wal_lsn() is null",
  "copy t to stdout",
  "select query_to_xml('select 1', true, true, '')",
];

Deno.test(
  "unsafe: nothing of it reaches the mirror, and what looks like it does",
  TEST,
  async (t) => {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({
      version: "15",
      settings: { log_statement: "all" },
    });
    for (const cluster of [primary, mirror]) {
      await onServer(cluster, (sql) => sql.unsafe(SCHEMA).simple());
    }
    await using proxy = await TestProxy.start({ primary, mirror });
    await known(proxy);
    let mark = 0;
    for (const [what, said] of Object.entries(UNSAFE)) {
      await t.step(what, async () => {
        const name = `mark_${++mark}_`;
        const before = proxy.ledger();
        using client = await WireClient.connect(proxy.port);
        for (const bytes of said(name)) await say(client, bytes);
        await client.terminate();
        const ledger = await proxy.settled();
        assertClosed(ledger);
        const count = (ledger.excluded.unsafe ?? 0) -
          (before.excluded.unsafe ?? 0);
        assert.ok(count > 0, JSON.stringify(ledger));
        const seen = log(mirror);
        assert.ok(!seen.includes(name), "it is in the mirror's log");
        assert.ok(!seen.includes("fastpath"), "a FunctionCall is in it");
        assert.deepEqual(ledger.failed, {});
        assert.deepEqual(ledger.dropped, before.dropped);
      });
    }
    for (const sql of SAFE) {
      for (const bytes of [query(sql), concat([extended(sql), sync()])]) {
        await t.step(`replayed: ${sql}`, async () => {
          const before = proxy.ledger();
          using client = await WireClient.connect(proxy.port);
          await say(client, bytes);
          await client.terminate();
          const ledger = await proxy.settled();
          assert.deepEqual(ledger.excluded, before.excluded);
          assert.equal(ledger.replayed, before.replayed + 1);
        });
      }
    }
  },
);

/** The mirror's catalog is known once it is asked and a replay is over. */
async function known(proxy: TestProxy): Promise<void> {
  using client = await WireClient.connect(proxy.port);
  await say(client, query("select 1"));
  await proxy.replayed(1);
  await client.terminate();
}

async function say(client: WireClient, bytes: Uint8Array): Promise<void> {
  await client.send(bytes);
  await client.ready(1);
}

function log({ logFile }: Cluster): string {
  return Deno.readTextFileSync(logFile);
}
