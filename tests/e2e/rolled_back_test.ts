import assert from "node:assert/strict";
import { startCluster } from "../support/cluster.ts";
import { prepare } from "../support/judged.ts";
import { assertClosed } from "../support/ledgers.ts";
import { onServer } from "../support/on_server.ts";
import { type Ledger, TestProxy } from "../support/proxy.ts";
import {
  concat,
  extended,
  query,
  sync,
  WireClient,
} from "../support/wire_client.ts";

const SCHEMA = `create table item (id serial primary key, n int);
  insert into item (n) values (0), (0)`;
const OPTIONS = { sanitizeOps: false, sanitizeResources: false };

Deno.test({
  name: "rolled back: what the primary did not commit, the mirror does not",
  ...OPTIONS,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "15" });

    /** Runs a script of two clients; the tables are equal behind it. */
    const step = (
      name: string,
      script: (a: Client, b: Client, ledger: Counted) => Promise<void>,
      onMirror = "",
    ) =>
      t.step(name, async () => {
        for (const cluster of [primary, mirror]) await prepare(cluster, SCHEMA);
        if (onMirror !== "") {
          await onServer(mirror, (sql) => sql.unsafe(onMirror));
        }
        await using proxy = await TestProxy.start({ primary, mirror });
        const clients = [
          await WireClient.connect(proxy.port),
          await WireClient.connect(proxy.port),
        ] as const;
        const [a, b] = clients.map((client) => (text: string) =>
          say(client, query(text))
        ) as [Client, Client];
        let check: (ledger: Ledger) => void = () => {};
        await script(
          Object.assign(a, {
            replayed: (count: number) => proxy.replayed(count),
            pipeline: (...texts: string[]) =>
              say(clients[0], concat([...texts.map(extended), sync()])),
          }),
          b,
          (checked) => check = checked,
        );
        await a("insert into item (n) values (9)");
        for (const client of clients) await client.terminate();
        const ledger = await proxy.settled();
        assertClosed(ledger);
        const read = (cluster: typeof primary) =>
          onServer(cluster, (sql) => sql`select * from item order by id`);
        assert.deepEqual(
          [...await read(mirror)],
          [...await read(primary)],
          JSON.stringify(ledger),
        );
        check(ledger);
      });

    await step(
      "a COMMIT that fails to serialize, its sequence in step",
      async (a, b, counted) => {
        for (const say of [a, b]) {
          await say("begin isolation level serializable");
          await say("select sum(n) from item");
        }
        await a("insert into item (n) values (1)");
        await b("insert into item (n) values (2)");
        assert.equal(await a("commit"), "I");
        // Who is rolled back has no place in the order: the other is replayed by then.
        await (a as Client & { replayed(count: number): Promise<void> })
          .replayed(1);
        assert.equal(await b("commit"), "40001");
        counted((ledger) => {
          assert.equal(ledger.replayed, 3);
          assert.equal(ledger.statements.noise_concurrency, 1);
        });
      },
    );

    await step(
      "a COMMIT behind a statement that gets no lock",
      async (a, b, counted) => {
        await b("set lock_timeout = 100");
        await a("begin");
        await a("update item set n = 1 where id = 1");
        await b("begin");
        await b("insert into item (n) values (3)");
        assert.equal(await b("update item set n = 7 where id = 1"), "55P03");
        await a("commit");
        assert.equal(await b("commit"), "I");
        counted((ledger) => assert.equal(ledger.replayed, 4));
      },
    );

    await step(
      "a statement by itself that gets no lock",
      async (a, b, counted) => {
        await b("set lock_timeout = 100");
        await a("begin");
        await a("update item set n = 1 where id = 1");
        assert.equal(await b("update item set n = 7 where id = 1"), "55P03");
        assert.equal(
          await b("select n from item where id = 1 for update nowait"),
          "55P03",
        );
        await a("commit");
        counted((ledger) => {
          assert.equal(ledger.replayed, 5);
          assert.deepEqual(ledger.excluded, {});
        });
      },
    );

    await step(
      "a definition that gets no lock, and is tried again",
      async (a, b, counted) => {
        await b("set lock_timeout = 100");
        await a("begin");
        await a("update item set n = 1 where id = 1");
        const alter = "alter table item add column more int";
        assert.equal(await b(alter), "55P03");
        await a("commit");
        assert.equal(await b(alter), "I");
        counted((ledger) => {
          assert.deepEqual(ledger.excluded, { rolled_back: 1 });
          assert.equal(mismatches(ledger), 0, JSON.stringify(ledger));
        });
      },
    );

    await step(
      "a pipeline with its COMMIT behind what gets no lock",
      async (a, b, counted) => {
        await b("begin");
        await b("update item set n = 1 where id = 1");
        await a("set lock_timeout = 100");
        const { pipeline } = a as Client & {
          pipeline(...texts: string[]): Promise<string>;
        };
        assert.equal(
          await pipeline(
            "begin",
            "update item set n = 7 where id = 1",
            "commit",
          ),
          "55P03",
        );
        await a("rollback");
        await b("commit");
        counted((ledger) =>
          assert.deepEqual(ledger.excluded, { rolled_back: 1 })
        );
      },
    );

    await step(
      "a savepoint takes back what failed on the primary only, the rest is committed",
      async (a, b, counted) => {
        await b("set lock_timeout = 100");
        await a("begin");
        await a("update item set n = 1 where id = 1");
        await b("begin");
        await b("savepoint s");
        await b("insert into item (n) values (3)");
        assert.equal(await b("update item set n = 7 where id = 1"), "55P03");
        await b("rollback to s");
        await b("update item set n = 8 where id = 2");
        await a("commit");
        await b("commit");
        counted((ledger) => assert.equal(mismatches(ledger), 0));
      },
    );

    await step(
      "an error of the primary alone is named, and commits nothing",
      async (a, b, counted) => {
        assert.equal(await a("insert into item values (1, 1)"), "23505");
        await b("begin");
        await b("insert into item (n) values (5)");
        assert.equal(await b("insert into item values (1, 1)"), "23505");
        assert.equal(await b("select 1"), "25P02");
        await b("commit");
        counted((ledger) => {
          assert.equal(ledger.statements.mismatch_error_on_primary, 2);
          assert.equal(mismatches(ledger), 2, JSON.stringify(ledger));
        });
      },
      "alter table item drop constraint item_pkey",
    );

    await step(
      "an error of both is a match: duplicate keys, a deferred one too",
      async (a, _b, counted) => {
        assert.equal(await a("insert into item values (1, 1)"), "23505");
        await a(
          "alter table item add unique (n) deferrable initially deferred",
        );
        await a("delete from item where id = 2");
        await a(
          "alter table item add unique (n) deferrable initially deferred",
        );
        assert.equal(await a("insert into item (n) values (0)"), "23505");
        await a("begin");
        await a("insert into item (n) values (0)");
        assert.equal(await a("commit"), "23505");
        counted((ledger) => {
          assert.equal(mismatches(ledger), 0, JSON.stringify(ledger));
          assert.deepEqual(ledger.excluded, {});
        });
      },
    );
  },
});

type Client = (text: string) => Promise<string>;
type Counted = (check: (ledger: Ledger) => void) => void;

function mismatches({ statements }: Ledger): number {
  return Object.entries(statements)
    .filter(([result]) => result.startsWith("mismatch"))
    .reduce((sum, [, count]) => sum + count, 0);
}

/** Sends one cycle. @returns the SQLSTATE of its error, or the status of its ReadyForQuery. */
async function say(client: WireClient, bytes: Uint8Array): Promise<string> {
  client.received.length = 0;
  await client.send(bytes);
  const status = await client.ready(1);
  const text = new TextDecoder("latin1").decode(client.bytes);
  return text.match(/\0C([0-9A-Z]{5})\0/)?.[1] ?? status;
}
