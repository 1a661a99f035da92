import assert from "node:assert/strict";
import postgres from "postgres";
import { startCluster } from "../support/cluster.ts";
import { onServer } from "../support/on_server.ts";
import { freePort, type ProxyOptions, TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";

/** Equal on both servers but for a report that nobody asks for often, and the place of ties. */
const SCHEMA = `
  create table account (id int primary key, balance int not null);
  insert into account select i, 10 * i from generate_series(1, 100) i;
  create table booking (id int primary key, amount int not null);
  insert into booking select i, i from generate_series(1, 100) i;
  create table tie (id int primary key, k int not null);
`;
const READ = "select balance from account where id = $1";
const REPORT = "select sum(amount) from booking where id > $1";
const TIES = "select id from tie order by k limit 1";
const DDL = "comment on table account is 'an account'";

interface Answer {
  readonly state: string;
  readonly headline: string;
  readonly reasons: readonly string[];
  readonly gates: readonly {
    readonly gate: string;
    readonly status: string;
    readonly sentence: string;
  }[];
}

type Traffic = (sql: postgres.Sql, proxy: TestProxy) => Promise<unknown>;

/** The verdict after some traffic of so many shapes, by limits that seconds can meet. */
async function judged(options: ProxyOptions, traffic: Traffic, shapes = 1) {
  const port = freePort();
  await using proxy = await TestProxy.start({
    ...options,
    general: {
      mirror_min_runtime_hours: 0,
      mirror_min_requests: 2,
      mirror_max_latency_ratio: 1_000,
      mirror_queue: 10_000,
      openmetrics_port: port,
      ...options.general,
    },
    more: `[plugins.readiness]\nmin_pairs = 2\n${options.more ?? ""}`,
  });
  const ask = async (): Promise<Answer> =>
    await (await fetch(`http://127.0.0.1:${port}/readiness`)).json();
  const sql = postgres(proxy.url(), { max: 4, fetch_types: false });
  await traffic(sql, proxy);
  await sql.end();
  const { statements } = await proxy.settled();
  // The main thread hears of statements a second later, and of some calls before others.
  await waitFor("the statements to be judged", async () => {
    const calls = proxy.supervisor.statements().map(({ calls }) => calls);
    const [, sentence] = gateOf(await ask(), "statements");
    return sum(calls) >= sum(Object.values(statements)) &&
      sentence.includes(`of ${shapes} statements`);
  }, 10_000);
  return await ask();
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

/** Calls a statement several times, each with another value. */
async function call(sql: postgres.Sql, text: string, times: number) {
  for (let i = 1; i <= times; i++) {
    await sql.unsafe(text, text.includes("$1") ? [i] : []);
  }
}

function gateOf({ gates }: Answer, name: string) {
  const found = gates.find(({ gate }) => gate === name);
  assert.ok(found !== undefined);
  return [found.status, found.sentence] as const;
}

/** Gates that do not pass, by name. */
function open({ gates }: Answer): string[] {
  return gates.filter(({ status }) => status !== "pass")
    .map(({ gate, status }) => `${gate} ${status}`);
}

Deno.test({
  name: "verdict: what it is about, and what it rests on",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using primary = await startCluster({
      version: "15",
      initSql: `${SCHEMA} insert into tie values (1, 1), (2, 1);`,
    });
    await using mirror = await startCluster({
      version: "18",
      initSql: `${SCHEMA} insert into tie values (2, 1), (1, 1);`,
    });
    await onServer(
      mirror,
      (sql) => sql`update booking set amount = -1 where id = 100`,
    );
    const servers = { primary, mirror };

    await t.step("an equal server is READY", async () => {
      const answer = await judged(servers, (sql) => call(sql, READ, 60));
      assert.deepEqual([open(answer), answer.reasons], [[], []]);
      assert.equal(answer.headline, "READY");
    });

    await t.step("only the monthly report is wrong", async () => {
      const answer = await judged(servers, async (sql) => {
        await call(sql, READ, 2_500);
        await call(sql, REPORT, 2);
      }, 2);
      assert.deepEqual(open(answer), ["statements fail"]);
      assert.equal(answer.state, "NOT READY");
      assert.equal(
        gateOf(answer, "statements")[1],
        `1 of 2 statements give another result than the primary, in half of their calls or in more than chance explains: ${REPORT}`,
      );
    });

    await t.step("a statement that chance always excuses", async () => {
      const answer = await judged(servers, async (sql) => {
        await call(sql, READ, 2_500);
        await call(sql, TIES, 2);
      }, 2);
      assert.deepEqual(open(answer), ["statements insufficient"]);
      assert.match(
        gateOf(answer, "statements")[1],
        /^1 of 2 statements are not known to give .*: select id from tie/,
      );
    });

    const onlyDdl: Traffic = async (sql) => {
      await call(sql, READ, 80);
      await call(sql, DDL, 20);
    };
    await t.step('level = "ddl" is about DDL', async () => {
      const answer = await judged(
        { ...servers, mirroring: { level: "ddl" } },
        onlyDdl,
      );
      assert.deepEqual(open(answer), []);
      assert.equal(
        answer.headline,
        "INCONCLUSIVE for DDL only: 80.00 % of the requests were not tried",
      );
      assert.match(answer.reasons.join(), /scope = "partial"/);
    });
    await t.step('scope = "partial" accepts that in writing', async () => {
      const answer = await judged({
        ...servers,
        mirroring: { level: "ddl" },
        more: 'scope = "partial"',
      }, onlyDdl);
      assert.deepEqual(answer.reasons, []);
      assert.equal(
        answer.headline,
        "READY for DDL only: 80.00 % of the requests were not tried",
      );
    });
    await t.step("exposure = 0.5 is about a part", async () => {
      const answer = await judged({
        ...servers,
        mirroring: { exposure: 0.5 },
        more: 'scope = "partial"',
      }, (sql) => call(sql, READ, 200));
      assert.match(
        answer.headline,
        /^READY for a part of the traffic: [\d.]+ % of the requests were not tried$/,
      );
    });

    await t.step("a pause is no fault of the mirror", async () => {
      const answer = await judged(servers, async (sql, proxy) => {
        await call(sql, READ, 50);
        await proxy.admin("PAUSE MIRROR the_mirror");
        await call(sql, READ, 50);
        await proxy.admin("RESUME MIRROR the_mirror");
      });
      assert.deepEqual(open(answer), ["coverage insufficient"]);
      assert.equal(answer.state, "INCONCLUSIVE");
      assert.match(
        gateOf(answer, "coverage")[1],
        /^50.00 % of the requests were replayed.* 50 requests were withheld on purpose/,
      );
    });

    await t.step("a program that never commits is named", async () => {
      const port = freePort();
      await using proxy = await TestProxy.start({
        ...servers,
        general: { openmetrics_port: port, mirror_min_requests: 2 },
      });
      const sql = postgres(proxy.url(), { max: 1, fetch_types: false });
      await using _end = { [Symbol.asyncDispose]: () => sql.end() };
      await sql.begin(async (open) => {
        await open.unsafe(READ, [1]);
        const ask = async (): Promise<Answer> =>
          await (await fetch(`http://127.0.0.1:${port}/readiness`)).json();
        await waitFor(
          "the client to be named",
          async () =>
            (await ask()).reasons.join() ===
              "no transaction has ended, and 1 clients are idle in one",
          5_000,
        );
        assert.equal((await ask()).state, "INCONCLUSIVE");
        // Also beside others, whose requests are enough.
        const other = postgres(proxy.url(), { max: 1, fetch_types: false });
        await call(other, READ, 3);
        await other.end();
        await waitFor("the others' requests", async () => {
          const [status, sentence] = gateOf(await ask(), "requests");
          return status === "pass" &&
            sentence.endsWith(
              " 1 clients are idle in a transaction, which counts when it ends.",
            );
        }, 5_000);
      });
    });
  },
});
