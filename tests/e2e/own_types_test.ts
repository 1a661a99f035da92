import assert from "node:assert/strict";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { prepare, resultsOf, run } from "../support/judged.ts";
import { TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";
import {
  concat,
  int16,
  int32,
  message,
  query,
  sync,
  WireClient,
} from "../support/wire_client.ts";

/** The judge compares by names, and binary values without their OIDs. */
const IS_WIRED: boolean = true;

/** Types that are dropped at once: those that follow have other OIDs. */
const SHIFT = Array.from(
  { length: 7 },
  (_, i) => `create type gone_${i} as enum ('x'); drop type gone_${i};`,
).join("\n");

const SCHEMA = `
  create extension if not exists citext;
  create type mood as enum ('sad', 'happy');
  create domain word as text check (value <> '');
  create domain feeling as mood;
  create type pair as (a int, b mood);
  create type deep as (pair pair, moods mood[], word word);
  create type span as range (subtype = int4);
  create table item (id int primary key, mood mood, word word, feeling feeling,
    pair pair, deep deep, moods mood[], pairs pair[], words word[], mail citext,
    mails citext[], span span, spans span[]);
  insert into item select i, 'sad', 'w' || i, 'happy', format('(%s,sad)', i)::pair,
    row(format('(%s,happy)', i)::pair, '{sad,happy}'::mood[], 'x')::deep, '{sad}',
    array[format('(%s,sad)', i)::pair, null], '{a,b}', 'Me@' || i, '{a,B}',
    '[1,5)', '{"[1,2)"}'
  from generate_series(1, 5) i;
`;

const CLEAN = [
  "select * from item order by id",
  "select item from item order by id",
  "select row(id, mood, feeling, word) from item order by id",
  "select array[row(id, mood), row(id, moods)] from item order by id",
  "select array_agg(item order by id) from item",
  "select 'mood'::regtype, 'item'::regclass, array['mood'::regtype]",
  "select enum_range(null::mood), array[mail] from item order by id",
  "select array_agg(table_name order by table_name) from information_schema.tables where table_name = 'item'",
];

/** Other types on the mirror … */
const BREAK = `
  create type other as enum ('sad', 'happy');
  alter table item alter mood type other using mood::text::other;
  alter table item alter word type mood using 'sad';
  alter table item alter mail type text;
  alter table item alter moods type other[] using moods::text::other[];`;
/** … and what is said of statements that read them. */
const FOUND: readonly [sql: string, difference: string][] = [
  ["select id, mood from item", "mood: type mood on the primary, other on"],
  ["select word from item", "word: type text on the primary, mood on"],
  ["select mail from item", "mail: type citext on the primary, text on"],
  ["select moods from item", "moods: type mood[] on the primary, other[] on"],
];
/** In these the type stands in the value alone: in binary only. */
const WITHIN = "select row(id, mood) from item order by id";

const binary = (sql: string) =>
  concat([
    message("P", `\0${sql}\0`, int16(0)),
    message("D", "S\0"),
    message("B", "\0\0", int16(0), int16(0), int16(1), int16(1)),
    message("E", "\0", int32(0)),
    sync(),
  ]);
const text = (sql: string) =>
  concat([
    message("P", `\0${sql}\0`, int16(0)),
    message("B", "\0\0", int16(0), int16(0), int16(0)),
    message("D", "P\0"),
    message("E", "\0", int32(0)),
    sync(),
  ]);
const WAYS = { simple: query, text, binary };

/** Sends statements in each way. @returns results by name. */
async function judge(
  proxy: TestProxy,
  statements: readonly string[],
  ways: readonly (keyof typeof WAYS)[],
): Promise<Record<string, number>> {
  const before = resultsOf(proxy.supervisor.statements());
  const client = await WireClient.connect(proxy.port);
  for (const way of ways) {
    for (const statement of statements) {
      await client.send(WAYS[way](statement));
      await client.ready(1);
    }
  }
  await client.terminate();
  await proxy.settled();
  const count = statements.length * ways.length;
  const since = () => {
    const now = resultsOf(proxy.supervisor.statements());
    for (const [name, was] of Object.entries(before)) {
      now[name] = (now[name] ?? 0) - was;
    }
    return Object.fromEntries(Object.entries(now).filter(([, n]) => n > 0));
  };
  const total = () => Object.values(since()).reduce((sum, n) => sum + n, 0);
  await waitFor("the results", () => total() >= count, 10_000);
  return since();
}

async function known(proxy: TestProxy, what: string): Promise<void> {
  await waitFor(
    what,
    () => proxy.logs.some((line) => line.includes(what)),
    10_000,
  );
}

/** Gives the primary a login in the configuration. */
function addLogin(proxy: TestProxy): void {
  proxy.toml = proxy.toml.replace(
    '[[databases]]\nname = "postgres"\n',
    '$&user = "postgres"\n',
  );
}

async function servers(): Promise<{ primary: Cluster; mirror: Cluster }> {
  const primary = await startCluster({ version: "15" });
  const mirror = await startCluster({ version: "18" });
  await prepare(primary, SCHEMA);
  await prepare(mirror, `${SHIFT}\n${SCHEMA}`);
  return { primary, mirror };
}

Deno.test({
  name:
    "judge: own types are compared by name, with the primary's login and without",
  // The driver's sockets close in their own time.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    const { primary, mirror } = await servers();
    await using _primary = primary;
    await using _mirror = mirror;
    await using proxy = await TestProxy.start({
      primary,
      mirror,
    });
    const ways = Object.keys(WAYS) as (keyof typeof WAYS)[];
    if (!IS_WIRED) ways.pop();
    await known(proxy, "Mirror's schema is known");
    const all = CLEAN.length * ways.length;

    await t.step("without a login own types are all one", async () => {
      assert.deepEqual(await judge(proxy, CLEAN, ways), { match: all });
    });

    await t.step("with a login equal servers are clean", async () => {
      addLogin(proxy);
      await proxy.admin("RELOAD");
      await known(proxy, "Primary's types are known");
      assert.deepEqual(await judge(proxy, CLEAN, ways), { match: all });
    });

    await t.step("types that DDL makes and renames are clean", async () => {
      const ddl = [
        "create type late as enum ('x')",
        "create table lately (id int, late late, lates late[])",
        "insert into lately values (1, 'x', '{x}')",
        "select * from lately",
        "alter type late rename to latest",
        "select * from lately",
      ];
      const results = await judge(proxy, ddl, ["simple"]);
      assert.deepEqual(results, { match: ddl.length });
      const read = ["select * from lately", "select row(late) from lately"];
      const again = await judge(proxy, read, ways.slice(-1));
      assert.deepEqual(again, { match: read.length });
    });

    await t.step({
      name: "a type under another name is found, and named",
      ignore: !IS_WIRED,
      async fn() {
        await run(mirror, BREAK);
        await proxy.admin("RELOAD");
        // The reload's look is over when a difference is found.
        const first = FOUND[0]?.[0] ?? "";
        for (let i = 0; i < 100; i++) {
          const results = await judge(proxy, [first], ["simple"]);
          if (results.mismatch_columns) break;
        }
        const statements = FOUND.map(([sql]) => sql);
        const results = await judge(proxy, statements, ways);
        assert.deepEqual(results, {
          mismatch_columns: statements.length * ways.length,
        });
        const differences = proxy.supervisor.statements().flatMap((summary) =>
          summary.examples.map(({ difference }) => difference)
        );
        for (const [, difference] of FOUND) {
          const text = `column ${difference} the mirror`;
          assert.ok(differences.includes(text), `${text}: ${differences}`);
        }
        assert.deepEqual(await judge(proxy, [WITHIN], ["simple", "binary"]), {
          match: 1,
          mismatch_rows: 1,
        });
      },
    });

    await t.step("a mirror that was restored meanwhile is clean", async () => {
      using client = await WireClient.connect(proxy.port);
      await client.send(query("select 1"));
      await client.ready(1);
      await proxy.settled(10_000, 1);
      await prepare(mirror, `${SHIFT}\n${SHIFT}\n${SCHEMA}`);
      await mirror.stop("fast");
      await mirror.start();
      await client.terminate();
      assert.deepEqual(Object.keys(await judge(proxy, CLEAN, ways)), ["match"]);
    });
  },
});
