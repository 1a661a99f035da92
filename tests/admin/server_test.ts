import assert from "node:assert/strict";
import { startAdmin } from "../../src/admin/mod.ts";
import {
  loginWhenFree,
  MANY,
  PASSWORD,
  startConsole,
  STATS_PASSWORD,
  STATS_USER,
  stillServes,
  USER,
} from "./console.ts";
import { RawClient, send } from "./raw_client.ts";

Deno.test("startAdmin: half-open logins beyond the bound push out the oldest, not the next comer", async () => {
  const console = startConsole({ maxSessions: 3 });
  const halfOpen: RawClient[] = [];
  for (let i = 0; i < 4; i++) {
    const client = await RawClient.connect(console.server.port);
    await client.startup({ user: USER, database: "admin" });
    assert.equal((await client.next())?.type, "R");
    halfOpen.push(client);
  }
  assert.ok(await halfOpen[0]?.ends());
  await stillServes(console);
  for (const client of halfOpen) client.close();
  await console.server.close();
});

Deno.test("startAdmin: a session beyond the bound gets 53300, and a place that is free again is given", async () => {
  const console = startConsole({ maxSessions: 1 });
  const { port } = console.server;
  const first = await RawClient.loggedIn(port, USER, PASSWORD);
  const second = await RawClient.connect(port);
  await second.startup({ user: USER, database: "admin" });
  await second.scram(PASSWORD);
  assert.ok((await second.untilReady()).includes("E FATAL 53300"));
  first.close();
  second.close();
  await loginWhenFree(console);
  await console.server.close();
});

Deno.test("startAdmin: sessions of the stats user do not keep the admin out", async () => {
  const console = startConsole({ maxSessions: 3, maxStatsSessions: 2 });
  const { port } = console.server;
  const come = async (user: string, password: string) => {
    const client = await RawClient.connect(port);
    await client.startup({ user, database: "admin" });
    await client.scram(password);
    const refused = (await client.untilReady()).includes("E FATAL 53300");
    return { refused, client };
  };
  const all = [
    await come(STATS_USER, STATS_PASSWORD),
    await come(STATS_USER, STATS_PASSWORD),
    await come(STATS_USER, STATS_PASSWORD),
    await come(USER, PASSWORD),
    await come(USER, PASSWORD),
  ];
  assert.deepEqual(all.map(({ refused }) => refused), [
    false,
    false,
    true,
    false,
    true,
  ]);
  for (const { client } of all) client.close();
  await loginWhenFree(console);
  await console.server.close();
});

Deno.test("startAdmin: a client that reads nothing is dropped after the write timeout", async () => {
  const console = startConsole({
    maxSessions: 1,
    writeTimeoutMs: 100,
    commands: [{
      words: "SHOW FLOOD",
      help: "More than the buffers of a socket hold",
      columns: [{ name: "t", type: "text", help: "" }],
      rows: () => Array.from({ length: 1000 }, () => ["x".repeat(100_000)]),
    }],
  });
  const client = await RawClient.loggedIn(console.server.port, USER, PASSWORD);
  await client.send(send.query("SHOW FLOOD"));
  await loginWhenFree(console);
  client.close();
  await console.server.close();
});

Deno.test("startAdmin: close lets a reply in progress end before 57P01", async () => {
  const console = startConsole({
    commands: [{
      ...MANY,
      rows: () => {
        void console.server.close();
        return MANY.rows();
      },
    }],
  });
  const client = await RawClient.loggedIn(console.server.port, USER, PASSWORD);
  await client.send(send.query("SHOW MANY"));
  const lines = await client.untilReady();
  assert.equal(lines.filter((line) => line.startsWith("D ")).length, 5000);
  assert.deepEqual(lines.slice(-2), ["C SHOW 5000", "Z I"]);
  assert.deepEqual(await client.untilReady(), ["E FATAL 57P01", "end"]);
  client.close();
  await console.server.close();
});

Deno.test("startAdmin: a port that is taken, and two commands of the same words, stop the start", async () => {
  const console = startConsole();
  const { log, ...rest } = {
    host: "127.0.0.1",
    name: "admin",
    user: USER,
    password: PASSWORD,
    version: "0.1.0",
    log: { debug() {}, info() {}, warn() {}, error() {} },
  };
  assert.throws(
    () => startAdmin({ ...rest, log, port: console.server.port, commands: [] }),
    Deno.errors.AddrInUse,
  );
  assert.throws(
    () =>
      startAdmin({
        ...rest,
        log,
        port: 0,
        commands: [MANY, { ...MANY, words: "show  many" }],
      }),
    /"show {2}many" is there twice/,
  );
  await console.server.close();
});
