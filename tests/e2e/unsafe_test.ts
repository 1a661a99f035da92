import assert from "node:assert/strict";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { assertClosed } from "../support/ledgers.ts";
import { onServer } from "../support/on_server.ts";
import { TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";
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
  "create function later() returns boolean begin atomic select kill_sql(1); end",
  "create function later_sql() returns boolean language sql as 'select pg_reload_conf()'",
  "create view later_view as select pg_reload_conf() as done",
  "prepare p as select pg_reload_conf()",
  "prepare k as select kill_sql(1)",
  "create view later_kill as select kill_sql(1) as done",
  "create table later_table (a int, b boolean default pg_reload_conf())",
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

Deno.test(
  "unsafe: what the catalog tells only when the mirror is asked again is left out before it is sent",
  TEST,
  async () => {
    await using servers = await start();
    const { proxy, mirror } = servers;
    using client = await WireClient.connect(proxy.port);
    // Queued before the mirror has defined the first, and told its catalog.
    await say(
      client,
      query(
        "create function fresh() returns boolean language sql as 'select pg_reload_conf()'",
      ),
    );
    await say(client, query("select fresh() /* one_mark */"));
    await say(client, query("create view viewed as select fresh() as done"));
    await say(client, query("select * from viewed /* view_mark */"));
    await say(
      client,
      query("do $$ begin perform fresh(); end $$ /* do_mark */"),
    );
    await say(
      client,
      query(
        "create function on_note() returns trigger language plpgsql as 'begin perform fresh(); return new; end'",
      ),
    );
    await say(
      client,
      query(
        "create trigger noted before insert on note for each row execute function on_note()",
      ),
    );
    await say(client, query("insert into note values ('trigger_mark')"));
    await say(client, query("begin"));
    await say(client, query("insert into t values (7)"));
    await say(client, query("select fresh() /* other_mark */"));
    await say(client, query("commit"));
    await say(client, query("select 1 /* behind */"));
    await client.terminate();
    const ledger = await proxy.settled();
    assertClosed(ledger);
    assert.deepEqual(ledger.excluded, { unsafe: 5 });
    assert.deepEqual(ledger.failed, {});
    assert.deepEqual(markedIn(mirror), []);
    assert.ok(log(mirror).includes("behind"));
    assert.ok(!log(mirror).includes("values (7)"));
  },
);

Deno.test(
  "unsafe: what is queued before the mirror has told its catalog is not sent",
  TEST,
  async () => {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({
      version: "15",
      settings: { log_statement: "all" },
    });
    for (const cluster of [primary, mirror]) {
      await onServer(cluster, (sql) => sql.unsafe(SCHEMA).simple());
    }
    await mirror.pause();
    await using proxy = await TestProxy.start({ primary, mirror });
    using client = await WireClient.connect(proxy.port);
    await say(client, query("set timezone to 'Asia/Tokyo'"));
    await say(client, query(`select kill_sql(${PID}) /* queued_mark */`));
    await say(client, query("show timezone"));
    await waitFor(
      "all to be queued",
      () => proxy.ledger().pending === 3,
      10_000,
    );
    mirror.resume();
    await client.terminate();
    const ledger = await proxy.settled();
    assertClosed(ledger);
    assert.deepEqual(ledger.excluded, { unsafe: 1 });
    assert.equal(ledger.replayed, 2);
    assert.deepEqual(ledger.statements, { match: 1, match_control: 1 });
    assert.deepEqual(markedIn(mirror), []);
  },
);

Deno.test(
  "unsafe: a transaction that proves so under way is rolled back on the mirror, and its session goes on",
  TEST,
  async () => {
    await using servers = await start();
    const { proxy, primary, mirror } = servers;
    using client = await WireClient.connect(proxy.port);
    await say(client, query("set timezone to 'Asia/Tokyo'"));
    await proxy.replayed(1);
    await onServer(mirror, async (sql) => {
      const held = await sql.reserve();
      await held`begin`;
      await held`lock table note`;
      await say(client, query("begin"));
      await say(client, query("insert into t values (7)"));
      await say(client, query("insert into note values ('x')"));
      // The catalog was read before.
      for (const cluster of [primary, mirror]) {
        await onServer(cluster, (sql) =>
          sql.unsafe(
            "create function late() returns boolean language sql as 'select pg_reload_conf()'",
          ));
      }
      await say(client, query("select late() /* late_mark */"));
      await say(client, query("commit"));
      await waitFor(
        "the replay to wait for the lock",
        () => log(mirror).includes("insert into note"),
        20_000,
      );
      const questions = () => log(mirror).split("current_schemas").length;
      const before = questions();
      await proxy.admin("RELOAD");
      await waitFor("the next look", () => questions() > before, 30_000);
      // Its answer comes well before.
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      await held`rollback`;
      held.release();
    });
    await waitFor(
      "it to be left out",
      () => proxy.ledger().excluded.unsafe === 1,
      20_000,
    );
    await say(client, query("insert into t values (8)"));
    await say(client, query("show timezone"));
    await client.terminate();
    const ledger = await proxy.settled();
    assertClosed(ledger);
    assert.equal(ledger.replayed, 3);
    assert.deepEqual(
      Object.keys(ledger.statements).filter((one) => !one.startsWith("match")),
      [],
    );
    assert.deepEqual(markedIn(mirror), []);
    assert.deepEqual(
      [...await onServer(mirror, (sql) => sql`select * from t`)],
      [{ a: 8 }],
    );
  },
);

Deno.test(
  "unsafe: a lost connection's state is brought back without it",
  TEST,
  async () => {
    await using servers = await start();
    const { proxy, mirror } = servers;
    using client = await WireClient.connect(proxy.port);
    await say(client, query("set timezone to 'Asia/Tokyo'"));
    // Of these the text is kept as state: with what is unsafe in it, it is not run.
    await say(
      client,
      concat([
        prepared("q", "select pg_reload_conf() /* held_mark */"),
        sync(),
      ]),
    );
    await say(client, query("prepare p as select pg_reload_conf()"));
    await proxy.replayed(3);
    await onServer(
      mirror,
      (sql) =>
        sql`select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`,
    );
    await say(client, run("q"));
    await say(client, query("execute p /* execute_mark */"));
    await say(client, query("show timezone"));
    await client.terminate();
    const ledger = await proxy.settled();
    assertClosed(ledger);
    assert.deepEqual(ledger.excluded, { unsafe: 2 });
    assert.deepEqual(markedIn(mirror), []);
  },
);

Deno.test(
  "unsafe: state that would run it is not brought back, and nothing is compared behind it",
  TEST,
  async () => {
    await using servers = await start();
    const { proxy, mirror } = servers;
    using client = await WireClient.connect(proxy.port);
    await say(
      client,
      query(
        "select set_config('app.x', 'state_mark', false), pg_reload_conf()",
      ),
    );
    await say(client, query("select current_setting('app.x', true)"));
    await waitFor(
      "the statement behind it to be dropped",
      () => proxy.ledger().dropped.session_tainted === 1,
      10_000,
    );
    await say(client, query("discard all"));
    await say(client, query("select 1"));
    await client.terminate();
    const ledger = await proxy.settled();
    assertClosed(ledger);
    assert.ok(!log(mirror).includes("state_mark"), "it is in the mirror's log");
    assert.equal(ledger.excluded.unsafe, 1);
    assert.equal(ledger.dropped.session_tainted, 1);
    assert.equal(ledger.replayed, 2, JSON.stringify(ledger));
  },
);

Deno.test(
  "unsafe: allow_unsafe lets through what it names, and nothing else",
  TEST,
  async () => {
    await using servers = await start({ allow_unsafe: ["pg_reload_conf"] });
    const { proxy, mirror } = servers;
    using client = await WireClient.connect(proxy.port);
    await say(client, query("select pg_reload_conf() /* allowed */"));
    await say(client, query("select pg_switch_wal() /* switch_mark */"));
    await say(
      client,
      query("select pg_reload_conf(), pg_switch_wal() /* both_mark */"),
    );
    await client.terminate();
    const ledger = await proxy.settled();
    assert.deepEqual(ledger.excluded, { unsafe: 2 });
    assert.ok(log(mirror).includes("/* allowed */"));
    assert.deepEqual(markedIn(mirror), []);
    assert.deepEqual(await excludesOf(proxy, 2), [
      ["pg_switch_wal", "reaches beyond the mirror's database", 2],
    ]);
  },
);

Deno.test(
  "exclude: rules by user, application, fingerprint and pattern hold from RELOAD on, each with its count",
  TEST,
  async () => {
    await using servers = await start();
    const { proxy, primary, mirror } = servers;
    for (const cluster of [primary, mirror]) {
      await onServer(
        cluster,
        (sql) => sql`create role reporter superuser login`,
      );
    }
    const rules = `
[[exclude]]
user = "reporter"
reason = "Reports"
[[exclude]]
application_name = "nightly"
database = "postgres"
reason = "Batches"
[[exclude]]
pattern = "insert into note"
reason = "Posts"
[[exclude]]
application_name = "nobody"
pattern = "select"
reason = "Nobody"
`;
    const visit = async (
      parameters: Readonly<Record<string, string>>,
      ...texts: string[]
    ) => {
      using client = await WireClient.connect(proxy.port, parameters);
      for (const text of texts) await say(client, query(text));
      await client.terminate();
    };
    const all = async () => {
      await visit({ user: "reporter" }, "select 1 /* r */");
      await visit({ application_name: "nightly" }, "select 2 /* n */");
      await visit(
        {},
        "begin",
        "select 3",
        "insert into note values ('x')",
        "commit",
      );
      await visit({}, "select 4");
    };
    await all();
    assert.deepEqual((await proxy.settled()).excluded, {});
    proxy.toml += rules;
    await proxy.admin("RELOAD");
    const before = await proxy.settled();
    await all();
    const ledger = await proxy.settled();
    assertClosed(ledger);
    assert.deepEqual(ledger.excluded, { rule: 3 });
    assert.equal(ledger.replayed, before.replayed + 1);
    const shown = await excludesOf(proxy, 3);
    assert.deepEqual(shown.sort(), [
      ["application_name nobody, pattern select", "Nobody", 0],
      ["database postgres, application_name nightly", "Batches", 1],
      ["pattern insert into note", "Posts", 1],
      ["user reporter", "Reports", 1],
    ]);
    const [{ reason = "" } = {}] = await proxy.admin("SHOW MIRROR READINESS");
    assert.match(
      String(reason),
      /^INCONCLUSIVE for a part of the traffic: .* of the requests were not tried, 3 of them by rules of \[\[exclude\]\]/,
    );
    proxy.toml = proxy.toml.replace(rules, "");
    await proxy.admin("RELOAD");
    await all();
    assert.deepEqual((await proxy.settled()).excluded, { rule: 3 });
  },
);

/** Rules with their counts, which the worker tells twice a second. */
async function excludesOf(proxy: TestProxy, count: number) {
  const read = async () =>
    (await proxy.admin("SHOW MIRROR EXCLUDES")).map((
      { name, reason, excluded },
    ) => [String(name), String(reason), Number(excluded)] as const);
  let rows = await read();
  await waitFor("the rules' counts", async () => {
    rows = await read();
    return rows.reduce((sum, [, , n]) => sum + n, 0) >= count;
  }, 10_000);
  return rows.map((row) => [...row]);
}

/** Lines of the mirror's log with a mark. */
function markedIn(mirror: Cluster): string[] {
  return log(mirror).split("\n").filter((line) => line.includes("_mark"));
}

/** Two servers, and a proxy that knows the mirror's catalog. */
async function start(mirroring: Record<string, readonly string[]> = {}) {
  const stack = new AsyncDisposableStack();
  const primary = stack.use(await startCluster({ version: "15" }));
  const mirror = stack.use(
    await startCluster({ version: "18", settings: { log_statement: "all" } }),
  );
  for (const cluster of [primary, mirror]) {
    await onServer(
      cluster,
      (sql) =>
        sql.unsafe("create table t (a int); create table note (a text)")
          .simple(),
    );
  }
  const proxy = stack.use(
    await TestProxy.start({ primary, mirror, mirroring }),
  );
  return {
    primary,
    mirror,
    proxy,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
