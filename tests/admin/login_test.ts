import assert from "node:assert/strict";
import { PASSWORD, startConsole, stillServes, USER } from "./console.ts";
import { concat, int32, message, RawClient, send } from "./raw_client.ts";

Deno.test("login: encryption is declined, then every parameter that drivers want is told", async () => {
  const console = startConsole();
  const client = await RawClient.connect(console.server.port);
  await client.send(message("", int32(80877103))); // SSLRequest
  assert.equal(await client.byte(), "N");
  await client.send(message("", int32(80877104))); // GSSENCRequest
  assert.equal(await client.byte(), "N");
  await client.startup({
    user: USER,
    database: "admin",
    application_name: "probe",
  });
  assert.equal(await client.scram(PASSWORD), "R");
  assert.deepEqual(await client.untilReady(), [
    "R",
    "S application_name=probe",
    "S client_encoding=UTF8",
    "S DateStyle=ISO, MDY",
    "S default_transaction_read_only=off",
    "S in_hot_standby=off",
    "S integer_datetimes=on",
    "S IntervalStyle=postgres",
    "S is_superuser=off",
    "S server_encoding=UTF8",
    "S server_version=14.0 (PgDog Mirror 0.1.0)",
    "S session_authorization=admin",
    "S standard_conforming_strings=on",
    "S TimeZone=UTC",
    "K",
    "Z I",
  ]);
  await client.send(send.terminate());
  assert.ok(await client.ends());
  client.close();
  await console.server.close();
});

Deno.test("login: protocol 3.2 and its options are negotiated down to 3.0", async () => {
  const console = startConsole();
  const client = await RawClient.connect(console.server.port);
  await client.startup(
    { user: USER, database: "admin", "_pq_.x": "1" },
    196610,
  );
  const negotiation = await client.next();
  assert.equal(negotiation?.type, "v");
  assert.deepEqual(
    negotiation?.body,
    concat(int32(196608), int32(1), new TextEncoder().encode("_pq_.x\0")),
  );
  assert.equal(await client.scram(PASSWORD), "R");
  client.close();
  await console.server.close();
});

/** What may come first, and what the console says before it closes. */
const FIRST_BYTES: readonly [
  what: string,
  bytes: Uint8Array,
  answer: string,
][] = [
  [
    "an HTTP request",
    new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"),
    "end",
  ],
  ["a TLS hello without SSLRequest", Uint8Array.of(22, 3, 1, 2, 0, 1), "end"],
  ["a length of zero", int32(0), "end"],
  ["a length of seven", concat(int32(7), new Uint8Array(3)), "end"],
  ["a negative length", int32(-1), "end"],
  ["a length of 10,001", int32(10_001), "end"],
  ["a length of 2 GiB", int32(0x7fffffff), "end"],
  [
    "CancelRequest",
    message("", int32(80877102), int32(1), int32(2)),
    "end",
  ],
  [
    "three SSLRequests",
    concat(...[1, 2, 3].map(() => message("", int32(80877103)))),
    "NN",
  ],
  [
    "protocol 2.0",
    message("", int32(131072), new Uint8Array(8)),
    "E FATAL 0A000",
  ],
  [
    "a string without its zero byte",
    message("", int32(196608), "user\0admin"),
    "E FATAL 08P01",
  ],
  [
    "bytes behind the last zero byte",
    message("", int32(196608), "user\0admin\0\0more"),
    "E FATAL 08P01",
  ],
  [
    "a message of the later protocol",
    message("Q", "SELECT 1\0"),
    "end",
  ],
];

for (const [what, bytes, answer] of FIRST_BYTES) {
  Deno.test(`login: ${what} ends this connection only`, async () => {
    const console = startConsole();
    const client = await RawClient.connect(console.server.port);
    await client.send(bytes);
    if (answer === "NN") {
      assert.equal(await client.byte(), "N");
      assert.equal(await client.byte(), "N");
    } else if (answer !== "end") {
      assert.equal((await client.untilReady())[0], answer);
    }
    assert.ok(await client.ends());
    client.close();
    await stillServes(console);
    await console.server.close();
  });
}

Deno.test("login: hostile SASL messages end in FATAL 08P01", async () => {
  const console = startConsole();
  const first = "n,,n=,r=abcdef";
  for (
    const [what, bytes] of [
      [
        "another type of message",
        message("Q", "SCRAM-SHA-256\0", int32(first.length), first),
      ],
      ["no mechanism", message("p")],
      ["another mechanism", message("p", "PLAIN\0", int32(0))],
      ["no initial response", message("p", "SCRAM-SHA-256\0", int32(-1))],
      [
        "a response shorter than said",
        message("p", "SCRAM-SHA-256\0", int32(99), first),
      ],
      [
        "a response longer than said",
        message("p", "SCRAM-SHA-256\0", int32(3), first),
      ],
      [
        "a response that is not UTF-8",
        message("p", "SCRAM-SHA-256\0", int32(2), 0xc3, 0x28),
      ],
      ["no nonce", message("p", "SCRAM-SHA-256\0", int32(6), "n,,n=x")],
      [
        "a response of 5 KiB",
        message("p", "SCRAM-SHA-256\0", int32(5120), "n,,n=,r=".padEnd(5120)),
      ],
      ["a length of three", concat(new TextEncoder().encode("p"), int32(3))],
      [
        "a length of 2 GiB",
        concat(new TextEncoder().encode("p"), int32(0x7fffffff)),
      ],
    ] as const
  ) {
    const client = await RawClient.connect(console.server.port);
    await client.startup({ user: USER, database: "admin" });
    assert.equal((await client.next())?.type, "R", what);
    await client.send(bytes);
    assert.deepEqual(await client.untilReady(), ["E FATAL 08P01", "end"], what);
    client.close();
  }
  await stillServes(console);
  await console.server.close();
});

Deno.test("login: a half-open login is closed after the timeout, and only that", async () => {
  const console = startConsole({ loginTimeoutMs: 50 });
  const silent = await RawClient.connect(console.server.port);
  const slow = await RawClient.connect(console.server.port);
  await slow.startup({ user: USER, database: "admin" });
  assert.equal((await slow.next())?.type, "R"); // and no answer to it
  const quick = await RawClient.loggedIn(console.server.port, USER, PASSWORD);
  assert.ok(await silent.ends());
  assert.ok(await slow.ends());
  await quick.send(send.query("SELECT 1"));
  assert.deepEqual(await quick.untilReady(), ["T", "D 1", "C SELECT 1", "Z I"]);
  for (const client of [silent, slow, quick]) client.close();
  await console.server.close();
});
