import assert from "node:assert/strict";
import {
  loginWhenFree,
  PASSWORD,
  startConsole,
  USER,
  withClient,
} from "./console.ts";
import { concat, int32, message, RawClient, send } from "./raw_client.ts";

Deno.test("session: a simple query of several statements ends at the first error", async () => {
  await withClient(async (client) => {
    await client.send(send.query("SHOW VERSION; SHOW NOPE; SHOW VERSION"));
    assert.deepEqual(await client.untilReady(), [
      "T",
      "D PgDog Mirror 0.1.0",
      "C SHOW 1",
      "E ERROR 42601",
      "Z I",
    ]);
    await client.send(send.query(" ;; -- nothing\n /* at all */ ;"));
    assert.deepEqual(await client.untilReady(), ["I", "Z I"]);
  });
});

Deno.test("session: the transaction status follows BEGIN, errors and ROLLBACK", async () => {
  await withClient(async (client) => {
    const talk = async (query: string) => {
      await client.send(send.query(query));
      return await client.untilReady();
    };
    assert.deepEqual(await talk("begin read only"), ["C BEGIN", "Z T"]);
    assert.deepEqual(await talk("SELECT 1"), ["T", "D 1", "C SELECT 1", "Z T"]);
    assert.deepEqual(await talk("SHOW NOPE"), ["E ERROR 42601", "Z E"]);
    assert.deepEqual(await talk("SELECT 1"), ["E ERROR 25P02", "Z E"]);
    assert.deepEqual(await talk("commit"), ["C ROLLBACK", "Z I"]);
    assert.deepEqual(await talk("start transaction"), [
      "C START TRANSACTION",
      "Z T",
    ]);
    assert.deepEqual(await talk("END"), ["C COMMIT", "Z I"]);
  });
});

Deno.test("session: SET is kept and reported, and what cannot be kept is refused", async () => {
  await withClient(async (client) => {
    const talk = async (query: string) => {
      await client.send(send.query(query));
      return await client.untilReady();
    };
    assert.deepEqual(await talk("SET application_name TO 'a''b'"), [
      "S application_name=a'b",
      "C SET",
      "Z I",
    ]);
    assert.deepEqual(await talk("SHOW Application_Name"), [
      "T",
      "D a'b",
      "C SHOW 1",
      "Z I",
    ]);
    assert.deepEqual(await talk("SET SESSION extra_float_digits = 3"), [
      "C SET",
      "Z I",
    ]);
    assert.deepEqual(await talk("SET datestyle = ISO, DMY"), ["C SET", "Z I"]);
    assert.deepEqual(await talk("SET NAMES 'utf8'"), ["C SET", "Z I"]);
    assert.deepEqual(await talk("SET client_encoding TO LATIN1"), [
      "E ERROR 0A000",
      "Z I",
    ]);
    assert.deepEqual(await talk("SET server_version = '9.0'"), [
      "E ERROR 55P02",
      "Z I",
    ]);
    assert.deepEqual(await talk("SET mirror_exposure TO 0.1"), [
      "E ERROR 42601",
      "Z I",
    ]);
    assert.deepEqual(await talk("RESET ALL"), [
      "S application_name=",
      "C RESET",
      "Z I",
    ]);
    assert.deepEqual(await talk("DISCARD ALL"), ["C DISCARD ALL", "Z I"]);
  });
});

Deno.test("session: a stream that cannot be cut any more ends in FATAL 08P01", async () => {
  const letter = new TextEncoder().encode("Q");
  for (
    const [what, bytes] of [
      ["a length of three", concat(letter, int32(3))],
      ["a negative length", concat(letter, int32(-1))],
      [
        "a length above the bound",
        concat(letter, int32(65_537), new Uint8Array(70_000)),
      ],
      ["a length of 2 GiB", concat(letter, int32(0x7fffffff))],
      ["an unknown type", message("!")],
      ["a type of the server", message("T", 0, 0)],
    ] as const
  ) {
    await withClient(async (client) => {
      await client.send(bytes);
      assert.deepEqual(
        await client.untilReady(),
        ["E FATAL 08P01", "end"],
        what,
      );
    });
  }
});

Deno.test("session: a message cut to single bytes is understood", async () => {
  await withClient(async (client) => {
    const bytes = concat(
      send.query("SHOW VERSION"),
      send.parse("", "SELECT 1"),
      send.bind("", ""),
      send.execute(""),
      send.sync(),
    );
    for (const byte of bytes) await client.send(Uint8Array.of(byte));
    assert.equal((await client.untilReady()).at(-1), "Z I");
    assert.deepEqual(await client.untilReady(), [
      "1",
      "2",
      "D 1",
      "C SELECT 1",
      "Z I",
    ]);
  });
});

Deno.test("session: a command that throws, and a row that does not fit, are fenced and logged", async () => {
  await withClient(async (client, { log }) => {
    await client.send(send.query("SHOW BROKEN"));
    assert.deepEqual(await client.untilReady(), ["E ERROR XX000", "Z I"]);
    await client.send(send.query("SHOW MISFIT"));
    assert.deepEqual(await client.untilReady(), [
      "T",
      "D 1",
      "E ERROR XX000",
      "Z I",
    ]);
    const failed = log.filter(({ level }) => level === "error");
    assert.deepEqual(failed.map(({ properties }) => properties?.command), [
      "SHOW BROKEN",
      "SHOW MISFIT",
    ]);
  });
});

Deno.test("session: a client that vanishes in the middle of a message leaves no trace", async () => {
  const console = startConsole({ maxSessions: 1 });
  const client = await RawClient.loggedIn(console.server.port, USER, PASSWORD);
  await client.send(concat(new TextEncoder().encode("Q"), int32(100)));
  client.close();
  await loginWhenFree(console);
  assert.deepEqual(console.log.filter(({ level }) => level === "error"), []);
  await console.server.close();
});

Deno.test("session: a result may be larger than the output buffer, a single row may not", async () => {
  const column = { name: "t", type: "text", help: "" } as const;
  const rowsOf = (count: number, length: number) => ({
    help: "Long text",
    columns: [column],
    rows: () => Array.from({ length: count }, () => ["x".repeat(length)]),
  });
  const commands = [
    { words: "SHOW WIDE", ...rowsOf(30, 100_000) },
    { words: "SHOW TOO WIDE", ...rowsOf(1, 1024 * 1024) },
  ];
  const console = startConsole({ commands });
  const client = await RawClient.loggedIn(console.server.port, USER, PASSWORD);
  await client.send(send.query("SHOW WIDE"), send.query("SHOW TOO WIDE"));
  const lines = await client.untilReady();
  assert.equal(lines.filter((line) => line.length === 100_002).length, 30);
  assert.deepEqual(lines.slice(-2), ["C SHOW 30", "Z I"]);
  assert.deepEqual(await client.untilReady(), ["T", "E ERROR 54000", "Z I"]);
  client.close();
  await console.server.close();
});
