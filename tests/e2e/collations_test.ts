import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { COLLATIONS_QUESTION } from "../../src/catalog/mod.ts";
import { analyze } from "../../src/sql/analyze.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { onServer } from "../support/on_server.ts";
import { resultsOf, run } from "../support/judged.ts";
import { TestProxy } from "../support/proxy.ts";
import { runAll } from "../support/run_all.ts";
import { waitFor } from "../support/wait.ts";

await loadModule();

const OTHERWISE = "Mirror sorts text otherwise";
const DEADLINE_MS = 20_000;

/** Rows lie in another order on each server, and all keys have ties. */
const schema = (sign: 1 | -1) => `
  create table item (id int primary key, kind int, at timestamptz,
    name text collate "und-x-icu", data jsonb);
  insert into item select i, i % 3, '2026-01-01'::timestamptz + (i % 4) * interval '1 day',
    (array['a', 'B', 'c', 'D', 'é'])[1 + i % 5], jsonb_build_object('name', (array['a', 'B'])[1 + i % 2])
  from generate_series(1, 20) i order by i * ${sign};
  create view shown as select id, lower(name) || name as label from item;`;

/** By a text with a collation of its own … */
const BY_TEXT = [
  "select id from item order by name",
  "select id from item order by kind, name || ''",
  "select id from item order by name limit 7",
  "select id from shown order by label",
  "select array_agg(id order by name) from item",
  "select id, row_number() over (order by name) from item",
  "select distinct on (kind) id from item order by kind, name",
];
/** … of the database's … */
const BY_DEFAULT = [
  "select id from item order by data->>'name'",
  "select string_agg(id::text, ',' order by data->>'name') from item",
];
/** … and by what has none, or is shown. */
const BY_OTHERS = [
  "select id from item order by kind",
  "select id from item order by at limit 7",
  'select id from item order by name collate "C"',
  "select array_agg(id order by at) from item",
  "select id, row_number() over (order by kind) from item",
  'select name from item order by name collate "C"',
  "select kind, id from item order by kind limit 4",
];
const ALL = [...BY_TEXT, ...BY_DEFAULT, ...BY_OTHERS];

/** The database on each server, which sorts by default as `locale` says. */
async function prepare(
  cluster: Cluster,
  sign: 1 | -1,
  locale: "C" | "icu",
): Promise<void> {
  const options = locale === "C"
    ? "locale 'C'"
    : "locale_provider icu icu_locale 'en' locale 'C'";
  await onServer(cluster, async (sql) => {
    await sql.unsafe("drop database if exists app with (force)");
    await sql.unsafe(`create database app template template0 ${options}`);
  });
  await run(inApp(cluster), schema(sign));
}

/** A server whose connections are to the database. */
function inApp(cluster: Cluster): Pick<Cluster, "url"> {
  return { url: () => cluster.url("app") };
}

async function start(
  primary: Cluster,
  mirror: Cluster,
  isKnown: boolean,
): Promise<TestProxy> {
  const proxy = await TestProxy.start({ primary, mirror, database: "app" });
  await logged(proxy, "Mirror's schema is known");
  if (!isKnown) return proxy;
  proxy.toml = proxy.toml.replace(
    '[[databases]]\nname = "app"\n',
    '$&user = "postgres"\n',
  );
  await proxy.admin("RELOAD");
  await logged(proxy, "Collations are known");
  return proxy;
}

async function logged(proxy: TestProxy, text: string): Promise<void> {
  await waitFor(
    text,
    () => proxy.logs.some((line) => line.includes(text)),
    DEADLINE_MS,
  );
}

/** Behind it both servers are asked again, while the other statements run. */
const DDL = "create table if not exists more (id int)";

/** Those of the statements that were a mismatch, in either protocol. */
async function mismatches(proxy: TestProxy): Promise<readonly string[]> {
  const summaries = await runAll(proxy, [DDL, ...ALL], [false, true]);
  const found = summaries.filter((summary) =>
    Object.keys(resultsOf([summary])).some((name) => /^mismatch_/.test(name))
  ).map(({ fingerprint }) => fingerprint);
  return ALL.filter((sql) =>
    found.includes(analyze(sql)?.shapes[0]?.fingerprint ?? "")
  );
}

Deno.test({
  name:
    "judge: a mirror that sorts otherwise is found by keys that are not selected, and a twin is clean",
  // The driver's sockets close in their own time.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "15" });
    await prepare(primary, 1, "C");
    await prepare(mirror, -1, "C");
    const says = (proxy: TestProxy) =>
      proxy.logs.filter((line) => line.includes(OTHERWISE));

    await t.step(
      "a twin whose rows lie in another order is clean",
      async () => {
        await using proxy = await start(primary, mirror, true);
        assert.deepEqual(await mismatches(proxy), []);
        const { noise_ties = 0 } = resultsOf(proxy.supervisor.statements());
        assert.ok(noise_ties > ALL.length, `${noise_ties} orders among ties`);
        assert.deepEqual(says(proxy), []);
      },
    );

    await t.step("columns with another collation are found", async () => {
      await run(
        inApp(mirror),
        `drop view shown; alter table item alter name type text collate "C";
        create view shown as select id, lower(name) || name as label from item`,
      );
      await using proxy = await start(primary, mirror, true);
      assert.deepEqual(await mismatches(proxy), BY_TEXT);
      const [line = "", more] = says(proxy);
      assert.equal(more, undefined);
      assert.match(line, /^warn .*und-x-icu on the primary, pg_catalog\.C on/);
      assert.match(line, /"columns":\["public\.item\.name","public\.shown/);
    });

    await t.step("without a login nothing is known", async () => {
      await using proxy = await start(primary, mirror, false);
      assert.deepEqual(await mismatches(proxy), []);
      assert.deepEqual(says(proxy), []);
    });

    await t.step("another default of the database is found", async () => {
      await prepare(mirror, -1, "icu");
      await using proxy = await start(primary, mirror, true);
      assert.deepEqual(await mismatches(proxy), BY_DEFAULT);
      const [line = ""] = says(proxy);
      assert.match(
        line,
        /"pg_catalog\.default on the primary, pg_catalog\.def/,
      );
    });
  },
});

for (const version of ["15", "18"] as const) {
  Deno.test({
    name: `COLLATIONS_QUESTION: a PostgreSQL ${version} tells how it sorts`,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      await using server = await startCluster({ version });
      await prepare(server, 1, "icu");
      const ask = (text = COLLATIONS_QUESTION) =>
        onServer(
          inApp(server),
          async (sql) => (await sql.unsafe(text).values()).flat() as string[][],
        );
      const rows = await ask();
      const order = (name: string) =>
        rows.find((row) => row[3] === name)?.[2]?.split(",").length;
      const texts = rows.find(([kind]) => kind === "texts")?.[1] ?? "";
      const count = new TextDecoder().decode(Uint8Array.fromHex(texts))
        .split(",").length - 2; // one text is "a,b"
      assert.ok(count > 100, `${count} texts`);
      assert.equal(order("pg_catalog.und-x-icu"), count + 1);
      assert.equal(order("pg_catalog.default"), count + 1);
      assert.deepEqual(
        rows.flatMap(([kind, ...of]) =>
          kind === "column" ? [of.slice(0, 3).join(".")] : []
        ),
        ["public.item.name", "public.shown.label"],
      );
    },
  });
}
