import assert from "node:assert/strict";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { prepare } from "../support/judged.ts";
import { assertClosed } from "../support/ledgers.ts";
import { onServer } from "../support/on_server.ts";
import { type Ledger, TestProxy } from "../support/proxy.ts";
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

const SCHEMA = "create table item (n int)";

const parse = (name: string, text: string) =>
  message("P", `${name}\0${text}\0`, int16(0));
const close = (name: string) => message("C", `S${name}\0`);
const run = (name: string) =>
  concat([
    message("B", `\0${name}\0`, int16(0), int16(0), int16(0)),
    message("E", "\0", int32(0)),
    sync(),
  ]);

Deno.test({
  name:
    "session state: what a transaction sets behind an error of the mirror alone is there afterwards",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "15" });

    /** Of what is said inside of a block that fails on the mirror only, and behind it, nothing else differs. */
    const step = (
      name: string,
      before: readonly Uint8Array[],
      inside: readonly Uint8Array[],
      behind: readonly Uint8Array[],
    ) =>
      t.step(name, async () => {
        const ledger = await played(primary, mirror, [
          ...before,
          query("begin"),
          query("insert into item values (13)"),
          ...inside,
          query("commit"),
          ...behind,
          ...behind,
        ]);
        const { match, match_control, skipped_cascade, ...other } =
          ledger.statements;
        assert.deepEqual(
          other,
          { mismatch_error_on_mirror: 1 },
          JSON.stringify({ ...ledger, match, match_control, skipped_cascade }),
        );
        assert.equal(ledger.replayed, ledger.seen);
      });

    const cycle = (...messages: Uint8Array[]) => concat([...messages, sync()]);
    const prepared = cycle(parse("s", "select 1"));
    await step("a named statement", [], [prepared, run("s")], [run("s")]);
    await step(
      "a named statement that is prepared anew",
      [prepared],
      [cycle(close("s")), cycle(parse("s", "select 2"))],
      [run("s")],
    );
    await step(
      "a named statement that is closed, and prepared later",
      [prepared],
      [concat([extended("insert into item values (14)"), cycle(close("s"))])],
      [cycle(parse("s", "select 3")), run("s"), cycle(close("s"))],
    );
    await step(
      "a named statement that is closed again",
      [],
      [prepared, cycle(close("s"))],
      [prepared, run("s"), cycle(close("s"))],
    );
    await step(
      "a setting",
      [query("set datestyle = 'SQL'")],
      [query("set timezone = 'Asia/Tokyo'")],
      [
        query("show timezone"),
        query("show datestyle"),
      ],
    );
    await step(
      "PREPARE, of a name that was there, too",
      [query("prepare Q as select 1"), query("deallocate q")],
      [query("prepare Q as select 2"), query("execute q")],
      [query("execute q")],
    );
    await step(
      "a session's lock",
      [],
      [query("select pg_advisory_lock(5)")],
      [
        query("select pg_advisory_unlock(5)"),
        query("select pg_advisory_lock(5)"),
      ],
    );

    await t.step(
      "a setting that the mirror's error has undone is set again",
      async () => {
        const ledger = await played(primary, mirror, [
          query("begin"),
          query("set timezone = 'Asia/Tokyo'"),
          query("insert into item values (13)"),
          query("commit"),
          query("show timezone"),
        ]);
        assert.equal(mismatches(ledger), 1, JSON.stringify(ledger));
      },
    );

    await t.step(
      "what both refuse is not set: it can be prepared later",
      async () => {
        const ledger = await played(primary, mirror, [
          query("begin"),
          query("insert into item values (13)"),
          query("insert into item values (1 / 0)"),
          prepared,
          query("rollback"),
          prepared,
          run("s"),
        ]);
        assert.equal(mismatches(ledger), 1, JSON.stringify(ledger));
      },
    );

    await t.step(
      "a statement that the mirror can't prepare is named",
      async () => {
        const logs: string[] = [];
        const ledger = await played(primary, mirror, [
          query("begin"),
          query("insert into item values (13)"),
          cycle(parse("s", "select * from only_here")),
          query("commit"),
          run("s"),
          run("s"),
        ], logs);
        assert.equal(mismatches(ledger), 3, JSON.stringify(ledger));
        const said = logs.filter((line) =>
          line.includes("Mirror refuses session state")
        );
        assert.equal(said.length, 1, logs.join("\n"));
        assert.match(said[0] as string, /42P01/);
      },
    );

    await t.step(
      "a statement that a cancelled request prepares anew is the new one",
      async () => {
        const ledger = await played(primary, mirror, [
          prepared,
          query("set statement_timeout = 200"),
          cycle(
            close("s"),
            parse("s", "select 2"),
            parse("", "select pg_sleep(30)"),
            message("B", "\0\0", int16(0), int16(0), int16(0)),
            message("E", "\0", int32(0)),
          ),
          run("s"),
        ]);
        assert.deepEqual(ledger.excluded, { cancelled: 1 });
        assert.equal(mismatches(ledger), 0, JSON.stringify(ledger));
      },
    );
  },
});

/** Plays cycles, one after the other, where the mirror alone refuses 13. */
async function played(
  primary: Cluster,
  mirror: Cluster,
  cycles: readonly Uint8Array[],
  logs?: string[],
): Promise<Ledger> {
  for (const cluster of [primary, mirror]) await prepare(cluster, SCHEMA);
  await onServer(primary, (sql) => sql`create table only_here (n int)`);
  await onServer(mirror, (sql) => sql`alter table item add check (n <> 13)`);
  await using proxy = await TestProxy.start({ primary, mirror });
  const client = await WireClient.connect(proxy.port);
  for (const cycle of cycles) {
    await client.send(cycle);
    await client.ready(1);
  }
  await client.terminate();
  const ledger = await proxy.settled();
  assertClosed(ledger);
  logs?.push(...proxy.logs);
  return ledger;
}

function mismatches({ statements }: Ledger): number {
  return Object.entries(statements)
    .filter(([result]) => result.startsWith("mismatch"))
    .reduce((sum, [, count]) => sum + count, 0);
}
