import assert from "node:assert/strict";
import { withClient } from "./console.ts";
import { int32, message, send } from "./raw_client.ts";

Deno.test("ExtendedQuery: the extended protocol, one message after the other", async () => {
  await withClient(async (client) => {
    await client.send(
      send.parse("s", "SHOW MIRROR STATS; "),
      send.sync(),
    );
    assert.deepEqual(await client.untilReady(), ["E ERROR 42601", "Z I"]);
    await client.send(
      send.parse("s", "show many"),
      send.describe("S", "s"),
      send.bind("p", "s", 0),
      send.describe("P", "p"),
      send.execute("p", 2),
      send.execute("p", 1),
      send.close("P", "p"),
      send.close("S", "s"),
      send.close("S", "never there"),
      send.sync(),
    );
    assert.deepEqual(await client.untilReady(), [
      "1",
      "t",
      "T",
      "2",
      "T",
      "D 0",
      "D 1",
      "s",
      "D 2",
      "s",
      "3",
      "3",
      "3",
      "Z I",
    ]);
  });
});

Deno.test("ExtendedQuery: Bind chooses the format of each column", async () => {
  await withClient(async (client) => {
    await client.send(
      send.parse("", "SELECT 1, 2, 'x'"),
      send.bind("", "", 1, 0, 1),
      send.describe("P", ""),
      send.execute(""),
      send.sync(),
    );
    await client.next();
    await client.next();
    const description = await client.next();
    const formats = [...description?.body ?? []].filter((_, index) =>
      // The last byte of each column: its name is "?column?", then 18 bytes.
      index >= 2 && (index - 2) % 27 === 26
    );
    assert.deepEqual(formats, [1, 0, 1]);
    const row = await client.next();
    // deno-fmt-ignore
    assert.deepEqual([...row?.body ?? []], [
      0, 3,
      0, 0, 0, 4, 0, 0, 0, 1, // binary int4
      0, 0, 0, 1, 0x32,       // text
      0, 0, 0, 1, 0x78,       // binary text is the same
    ]);
    assert.deepEqual(await client.untilReady(), ["C SELECT 1", "Z I"]);
  });
});

Deno.test("ExtendedQuery: a portal that is read to its end gives no rows more, and a command does not run twice", async () => {
  await withClient(async (client, { runs }) => {
    await client.send(
      send.parse("", "SELECT 7"),
      send.bind("", ""),
      send.execute("", 1), // suspended, as PostgreSQL does at exactly the limit
      send.execute("", 1),
      send.execute(""),
      send.sync(),
    );
    assert.deepEqual(await client.untilReady(), [
      "1",
      "2",
      "D 7",
      "s",
      "C SELECT 0",
      "C SELECT 0",
      "Z I",
    ]);
    await client.send(
      send.parse("", "RESET MIRROR_STATS"),
      send.describe("S", ""),
      send.bind("", ""),
      send.execute(""),
      send.execute(""),
      send.sync(),
    );
    assert.deepEqual(await client.untilReady(), [
      "1",
      "t",
      "n",
      "2",
      "C RESET",
      "E ERROR 55000",
      "Z I",
    ]);
    assert.equal(runs.reset, 1);
  });
});

Deno.test("ExtendedQuery: after an error everything up to Sync is skipped, then it goes on", async () => {
  await withClient(async (client) => {
    await client.send(
      send.bind("", "missing"),
      send.execute(""),
      send.query("SHOW VERSION"), // skipped as well, as PostgreSQL does
      send.parse("", "SELECT 1"),
      send.sync(),
      send.parse("", ""),
      send.bind("", ""),
      send.describe("P", ""),
      send.execute(""),
      send.sync(),
    );
    assert.deepEqual(await client.untilReady(), ["E ERROR 26000", "Z I"]);
    assert.deepEqual(await client.untilReady(), ["1", "2", "n", "I", "Z I"]);
  });
});

Deno.test("ExtendedQuery: prepared statements live until DEALLOCATE, portals until Sync", async () => {
  await withClient(async (client) => {
    await client.send(
      send.parse("s", "SELECT 1"),
      send.bind("p", "s"),
      send.sync(),
      send.execute("p"),
      send.sync(),
      send.parse("s", "SELECT 2"),
      send.sync(),
      send.query("DEALLOCATE s"),
      send.query("DEALLOCATE PREPARE s"),
    );
    assert.deepEqual(await client.untilReady(), ["1", "2", "Z I"]);
    assert.deepEqual(await client.untilReady(), ["E ERROR 34000", "Z I"]);
    assert.deepEqual(await client.untilReady(), ["E ERROR 42P05", "Z I"]);
    assert.deepEqual(await client.untilReady(), ["C DEALLOCATE", "Z I"]);
    assert.deepEqual(await client.untilReady(), ["E ERROR 26000", "Z I"]);
    await client.send(
      send.query("BEGIN"),
      send.parse("", "SELECT 1"),
      send.bind("p", ""),
      send.sync(),
      send.execute("p"),
      send.sync(),
    );
    await client.untilReady();
    assert.deepEqual(await client.untilReady(), ["1", "2", "Z T"]);
    assert.deepEqual(await client.untilReady(), ["D 1", "C SELECT 1", "Z T"]);
  });
});

Deno.test("ExtendedQuery: Flush gives what is there without ReadyForQuery", async () => {
  await withClient(async (client) => {
    await client.send(send.parse("", "SELECT 1"), send.flush());
    assert.equal((await client.next())?.type, "1");
    await client.send(send.sync());
    assert.deepEqual(await client.untilReady(), ["Z I"]);
  });
});

Deno.test("ExtendedQuery: a long pipeline is answered before its Sync", async () => {
  await withClient(async (client) => {
    const closes = Array.from({ length: 7000 }, () => send.close("S", "x"));
    await client.send(...closes);
    assert.equal((await client.next())?.type, "3");
    await client.send(send.sync());
    assert.equal((await client.untilReady()).length, 7000);
  });
});

Deno.test("ExtendedQuery: names and portals are bounded", async () => {
  await withClient(async (client) => {
    const parses = Array.from(
      { length: 257 },
      (_, i) => send.parse(`s${i}`, "SELECT 1"),
    );
    await client.send(...parses, send.sync());
    const lines = await client.untilReady();
    assert.equal(lines.filter((line) => line === "1").length, 256);
    assert.deepEqual(lines.slice(-2), ["E ERROR 54000", "Z I"]);
    await client.send(send.query("DEALLOCATE ALL"), send.parse("s", ";"));
    await client.untilReady();
    const binds = Array.from({ length: 65 }, (_, i) => send.bind(`p${i}`, "s"));
    await client.send(...binds, send.sync());
    assert.deepEqual((await client.untilReady()).slice(-2), [
      "E ERROR 54000",
      "Z I",
    ]);
  });
});

/** Messages whose body is wrong: the error is told, the session goes on. */
const BAD_BODIES: readonly [
  what: string,
  bytes: Uint8Array,
  sqlstate: string,
][] = [
  ["Parse without a body", message("P"), "08P01"],
  [
    "Parse with a negative type count",
    message("P", "\0SELECT 1\0", 255, 255),
    "08P01",
  ],
  [
    "Parse with fewer types than said",
    message("P", "\0SELECT 1\0", 127, 255),
    "08P01",
  ],
  ["Parse of two statements", send.parse("", "SELECT 1; SELECT 2"), "42601"],
  ["Parse with a parameter", send.parse("", "SHOW $1"), "0A000"],
  ["Parse with a long name", send.parse("n".repeat(256), ""), "08P01"],
  ["Parse that is not UTF-8", message("P", 0, 0xc3, 0x28, 0, 0, 0), "08P01"],
  ["Parse with an open quote", send.parse("", "SELECT 'x"), "42601"],
  ["Parse with an open comment", send.parse("", "/* /* */"), "42601"],
  ["Parse with bytes behind it", message("P", 0, 0, 0, 0, 9), "08P01"],
  ["Bind without a body", message("B"), "08P01"],
  [
    "Bind with a parameter",
    message("B", "\0one\0", 0, 0, 0, 1, int32(1), 65, 0, 0),
    "08P01",
  ],
  [
    "Bind with a negative format count",
    message("B", "\0one\0", 0, 0, 0, 0, 255, 255),
    "08P01",
  ],
  ["Bind with format 2", send.bind("", "one", 2), "22023"],
  ["Bind with two formats for one column", send.bind("", "one", 0, 0), "08P01"],
  ["Bind of an unknown statement", send.bind("", "nope"), "26000"],
  ["Describe of another kind", message("D", "X\0"), "08P01"],
  ["Describe of an unknown portal", send.describe("P", "nope"), "34000"],
  ["Execute without a limit", message("E", 0, 0, 0), "08P01"],
  ["Execute of an unknown portal", send.execute("nope"), "34000"],
  ["Close without a name", message("C", "S"), "08P01"],
];

Deno.test("ExtendedQuery: ill-formed extended messages are told by SQLSTATE, and Sync mends", async () => {
  await withClient(async (client) => {
    await client.send(send.parse("one", "SELECT 1"), send.sync());
    await client.untilReady();
    for (const [what, bytes, sqlstate] of BAD_BODIES) {
      await client.send(bytes, send.sync());
      assert.deepEqual(
        await client.untilReady(),
        [`E ERROR ${sqlstate}`, "Z I"],
        what,
      );
    }
    await client.send(message("F", int32(1)));
    assert.deepEqual(await client.untilReady(), ["E ERROR 0A000", "Z I"]);
    await client.send(message("d", "copy"), message("c"), message("f", 0));
    await client.send(message("Q", "no zero byte"));
    assert.deepEqual(await client.untilReady(), ["E ERROR 08P01", "Z I"]);
  });
});
