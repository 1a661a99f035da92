import assert from "node:assert/strict";
import { startCluster } from "../support/cluster.ts";
import { sum } from "../support/ledgers.ts";
import { type Ledger, TestProxy } from "../support/proxy.ts";
import { DONE, MIRROR_HOOKS, order, PROXY_HOOKS } from "../support/saboteur.ts";
import { waitFor } from "../support/wait.ts";
import {
  concat,
  extended,
  int16,
  message,
  query,
  sync,
  WireClient,
} from "../support/wire_client.ts";

/** What one session says, and how many ReadyForQuery each part brings. */
const SESSION: readonly (readonly [Uint8Array, number])[] = [
  [query("select 1"), 1],
  [concat([query("begin"), query("update t set a = a where a = 1")]), 2],
  [query("commit"), 1],
  [query("select * from t order by a"), 1],
  [query("select no_such_column"), 1],
  [
    concat([
      message("P", "s\0select 2\0", int16(0)),
      message("B", "\0s\0", int16(0), int16(0), int16(0)),
      sync(),
    ]),
    1,
  ],
  [concat([query("copy u from stdin"), message("d", "1\n"), message("c")]), 1],
  [query("delete from u"), 1],
  [query("set application_name to 'x'"), 1],
  // Cancelled for the ledger: its session state is taken over without a replay.
  [query("set statement_timeout to 10; select pg_sleep(5)"), 1],
  [query("set statement_timeout to 0"), 1],
  [concat([extended("insert into u values (3)"), sync()]), 1],
  [concat([extended("delete from u"), sync()]), 1],
];

/** The server's time may be over before it has described the rows of pg_sleep, or behind that. */
// deno-lint-ignore no-control-regex
const PG_SLEEP_DESCRIBED = /T\0\0\0!\0\x01pg_sleep\0[^]{18}/;

/** @returns all bytes that the server said, but for what is chance. */
async function session(port: number): Promise<string> {
  using client = await WireClient.connect(port);
  for (const [bytes, ready] of SESSION) {
    await client.send(bytes);
    await client.ready(ready);
  }
  const { bytes } = client;
  await client.terminate();
  return new TextDecoder("latin1").decode(bytes)
    .replace(PG_SLEEP_DESCRIBED, "");
}

const outcomes = ({ excluded, dropped, replayed, failed }: Ledger) =>
  sum(excluded) + sum(dropped) + replayed + sum(failed);

const difference = (now: Ledger, before: Ledger) =>
  (now.failed.internal ?? 0) - (before.failed.internal ?? 0);

Deno.test({
  name:
    "workers: an exception in any hook of the mirror's side costs requests of the mirror and nothing else",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    const initSql =
      "create table t (a int); insert into t values (1), (2); create table u (a int)";
    await using primary = await startCluster({ version: "15", initSql });
    await using mirror = await startCluster({ version: "15", initSql });
    const folder = await Deno.makeTempDir();
    const file = `${folder}/armed`;
    await Deno.writeTextFile(file, DONE);
    const probe = new URL("../support/saboteur.ts", import.meta.url);
    probe.searchParams.set("file", file);
    const start = () =>
      TestProxy.start({
        primary,
        mirror,
        general: { workers: 1, mirror_timeout: 1_000, connect_timeout: 1_000 },
        plugins: [
          {
            id: "saboteur",
            parseConfig: (raw) => raw,
            create: () => ({}),
            probe,
          },
        ],
      });
    let proxy = await start();
    const table: string[][] = [];
    const expected = await session(primary.port);

    async function settled(what: string): Promise<Ledger> {
      await waitFor(`${what} to leave`, () => proxy.clients === 0, 5_000);
      await waitFor(
        `${what} to be settled: ${JSON.stringify(proxy.ledger())}`,
        () => proxy.ledger().pending === 0,
        5_000,
      );
      return proxy.ledger();
    }

    for (
      const [role, hooks] of [
        ["mirror", MIRROR_HOOKS],
        ["proxy", PROXY_HOOKS],
      ] as const
    ) {
      for (const [name, methods] of Object.entries(hooks)) {
        for (const method of methods) {
          const hook = `${name}.${method}`;
          const well = await t.step(`${role}: ${hook}`, async () => {
            const before = proxy.ledger();
            // Not the first calls: something is under way then.
            await Deno.writeTextFile(file, order(role, hook, 2));
            for (let i = 0; i < 3; i++) {
              assert.equal(await session(proxy.port), expected);
            }
            await waitFor(
              "the hook to throw",
              async () => await Deno.readTextFile(file) === DONE,
              5_000,
            );
            const ledger = await settled("the sessions");
            assert.equal(ledger.seen, outcomes(ledger));
            table.push([
              `${role} ${hook}`,
              `failed{internal} ${difference(ledger, before)}`,
            ]);
            const { replayed } = ledger;
            await waitFor("the next session to be replayed", async () => {
              assert.equal(await session(proxy.port), expected);
              return (await settled("a session")).replayed >= replayed + 5;
            }, 5_000);
          });
          if (well) continue;
          // The others are not to blame for what this one left behind.
          await Deno.writeTextFile(file, DONE);
          await proxy[Symbol.asyncDispose]();
          proxy = await start();
        }
      }
    }
    for (const row of table) console.log(row.join(" -> "));
    const total = proxy.ledger().failed.internal ?? 0;
    assert.ok(total >= 10, `failed{internal} is ${total}`);
    await proxy[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
  },
});
