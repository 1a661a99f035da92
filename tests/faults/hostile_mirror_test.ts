import assert from "node:assert/strict";
import { startCluster } from "../support/cluster.ts";
import {
  HONEST,
  honest,
  type HostileScript,
  HostileServer,
  replying,
  type Victim,
  WELCOME,
} from "../support/hostile_server.ts";
import { type Ledger, TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";
import {
  concat,
  int16,
  int32,
  message,
  query,
  WireClient,
} from "../support/wire_client.ts";

const MIB = 1024 * 1024;
const PASSWORD = 0x70;
const MAX = 2 ** 31 - 1;

/** Outcomes of requests, as `failed.protocol`. */
type Outcome = string;

const header = (type: string, length: number) =>
  concat([new TextEncoder().encode(type), int32(length)]);
const once = (...parts: readonly Uint8Array[]) =>
  replying(async (victim) => {
    await victim.send(...parts);
    await victim.wait();
  });
const forEver = (...parts: readonly Uint8Array[]) =>
  replying((victim) => victim.sendForEver(concat(parts)));

/** A SCRAM login up to the server's first message; `attributes` of the client's nonce. */
function scram(
  attributes: (nonce: string) => string,
  after: (victim: Victim) => Promise<void> = (victim) => victim.wait(),
): HostileScript {
  return async (victim) => {
    await victim.startup();
    await victim.send(message("R", int32(10), "SCRAM-SHA-256\0\0"));
    const first = new TextDecoder().decode(await victim.next(PASSWORD));
    const nonce = first.slice(first.indexOf("r=") + 2);
    await victim.send(message("R", int32(11), attributes(nonce)));
    await after(victim);
  };
}

const SALT = "s=c2FsdHNhbHRzYWx0c2FsdA==";
const notice = message("N", "SNOTICE\0VNOTICE\0C00000\0Mx\0\0");
const row = message("D", int16(1), int32(1), "x");

/** Each with the outcome of the request that meets it. */
const CASES: Readonly<Record<string, readonly [HostileScript, Outcome]>> = {
  "a message of length 0": [once(header("C", 0), HONEST), "failed.protocol"],
  "a message of length 3": [once(header("D", 3), HONEST), "failed.protocol"],
  "a message of length -1": [once(header("T", -1), HONEST), "failed.protocol"],
  "a message of length 2^31 - 1, and silence": [
    once(header("D", MAX), new Uint8Array(100)),
    "failed.timeout",
  ],
  "an ErrorResponse of length 2^31 - 1, as long as one reads": [
    replying(async (victim) => {
      await victim.send(header("E", MAX));
      await victim.sendForEver(new Uint8Array(65_536).fill(0x41));
    }),
    "failed.timeout",
  ],
  "unknown type codes": [
    once(message("~", "what"), message("\u0001"), HONEST),
    "replayed",
  ],
  "NoticeResponse without end": [forEver(notice), "failed.timeout"],
  "DataRow without end": [forEver(row), "failed.timeout"],
  "CommandComplete without end": [
    forEver(message("C", "SELECT 1\0")),
    "failed.protocol",
  ],
  "EmptyQueryResponse without end": [forEver(message("I")), "failed.protocol"],
  "CopyInResponse not asked for": [
    once(message("G", "\0", int16(0))),
    "failed.timeout",
  ],
  "CopyInResponse without end": [
    forEver(message("G", "\0", int16(0))),
    "failed.timeout",
  ],
  "CopyBothResponse": [once(message("W", "\0", int16(0))), "failed.protocol"],
  "DataRow without RowDescription": [once(row, HONEST), "replayed"],
  "DataRow with lengths that lie": [
    once(message("D", int16(-1), int32(MAX)), HONEST),
    "replayed",
  ],
  "RowDescription with counts that lie": [
    once(message("T", int16(32_767), "x"), message("T"), HONEST),
    "replayed",
  ],
  "ReadyForQuery too many": [
    once(HONEST, message("Z", "I"), message("Z", "I")),
    "failed.protocol",
  ],
  "ReadyForQuery without a status": [once(message("Z")), "replayed"],
  "an ErrorResponse without SQLSTATE": [
    once(message("E", "SERROR\0Mbad\0\0"), message("Z", "I")),
    "replayed",
  ],
  "an ErrorResponse that is empty": [
    once(message("E"), message("Z", "I")),
    "replayed",
  ],
  "the end in the middle of a message": [
    replying((victim) => victim.send(header("D", 100), new Uint8Array(10))),
    "failed.connection",
  ],
  "silence": [replying((victim) => victim.wait()), "failed.timeout"],
  "silence in the login": [(victim) => victim.wait(), "dropped.mirror_down"],
  "NoticeResponse without end in the login": [
    async (victim) => {
      await victim.startup();
      await victim.sendForEver(notice);
    },
    "dropped.mirror_down",
  ],
  "a message of length 0 in the login": [
    async (victim) => {
      await victim.startup();
      await victim.send(header("R", 0), WELCOME);
      await victim.wait();
    },
    "dropped.mirror_down",
  ],
  "an Authentication message of 2^31 - 1 bytes": [
    async (victim) => {
      await victim.startup();
      await victim.send(header("R", MAX), int32(10));
      await victim.sendForEver(new Uint8Array(65_536).fill(0x41));
    },
    "dropped.mirror_down",
  ],
  "SCRAM with 2^31 - 1 iterations": [
    scram((nonce) => `r=${nonce}x,${SALT},i=${MAX}`),
    "dropped.mirror_down",
  ],
  "SCRAM with a huge nonce": [
    scram((nonce) => `r=${nonce}${"x".repeat(MIB)},${SALT},i=4096`),
    "dropped.mirror_down",
  ],
  "SCRAM with a wrong signature": [
    scram((nonce) => `r=${nonce}x,${SALT},i=4096`, async (victim) => {
      await victim.next(PASSWORD);
      await victim.send(
        message("R", int32(12), `v=${btoa("x".repeat(32))}`),
        WELCOME,
      );
      await victim.wait();
    }),
    "dropped.mirror_down",
  ],
  "SCRAM that ends without a signature": [
    scram((nonce) => `r=${nonce}x,${SALT},i=4096`, async (victim) => {
      await victim.next(PASSWORD);
      await victim.send(WELCOME);
      await victim.wait();
    }),
    "dropped.mirror_down",
  ],
  "ReadyForQuery in place of SCRAM's end": [
    scram((nonce) => `r=${nonce}x,${SALT},i=4096`, async (victim) => {
      await victim.next(PASSWORD);
      await victim.send(message("Z", "I"));
      await victim.wait();
    }),
    "dropped.mirror_down",
  ],
  "ReadyForQuery in place of any authentication": [
    async (victim) => {
      await victim.startup();
      await victim.send(message("Z", "I"));
      await victim.wait();
    },
    "dropped.mirror_down",
  ],
};

const SESSION = [
  "select 1",
  "begin",
  "select 2, 'x'",
  "commit",
  "select no_such_column",
  "select generate_series(1, 100)",
];

async function session(port: number): Promise<string> {
  using client = await WireClient.connect(port);
  for (const sql of SESSION) {
    await client.send(query(sql));
    await client.ready(1);
  }
  const { bytes } = client;
  await client.terminate();
  return new TextDecoder("latin1").decode(bytes);
}

/** All outcomes and their counts, as `failed.protocol`. */
function outcomes(ledger: Ledger): Record<Outcome, number> {
  const result: Record<Outcome, number> = { replayed: ledger.replayed };
  for (const kind of ["excluded", "dropped", "failed"] as const) {
    for (const [reason, count] of Object.entries(ledger[kind])) {
      result[`${kind}.${reason}`] = count;
    }
  }
  return result;
}

Deno.test({
  name:
    "isolation: no hostile mirror reaches the client, or more than its bound of memory",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    using mirror = new HostileServer();
    await using proxy = await TestProxy.start({
      primary,
      mirror: { host: mirror.host, port: mirror.port, password: "secret" },
      general: {
        workers: 1,
        connect_timeout: 400,
        mirror_timeout: 400,
        mirror_pacing: "asap",
        mirror_order: "client",
      },
    });
    const expected = await session(primary.port);

    /** Plays sessions until a request has this outcome. @returns what else there was. */
    async function until(outcome: Outcome): Promise<string[]> {
      const before = outcomes(proxy.ledger());
      let now = before;
      await waitFor(
        `an outcome ${outcome}, there is ${JSON.stringify(proxy.ledger())}`,
        async () => {
          assert.equal(await session(proxy.port), expected);
          const ledger = await proxy.settled(5_000);
          now = outcomes(ledger);
          const sum = Object.values(now).reduce((total, n) => total + n, 0);
          assert.equal(ledger.seen, sum, JSON.stringify(ledger));
          return (now[outcome] ?? 0) > (before[outcome] ?? 0);
        },
        5_000,
      );
      return Object.keys(now).filter((key) =>
        (now[key] ?? 0) > (before[key] ?? 0)
      );
    }

    await until("replayed");
    const before = Deno.memoryUsage().rss;
    for (const [name, [script, outcome]] of Object.entries(CASES)) {
      await t.step(name, async () => {
        mirror.play(script);
        const found = await until(outcome);
        const grown = (Deno.memoryUsage().rss - before) / MIB;
        // Its schema is asked for, too: 200,000 rows of texts are about 150 MiB here.
        assert.ok(grown < 350, `${grown} MiB more`);
        console.log(`${name} -> ${found.join(", ")}`);
      });
      // It must come back, too.
      mirror.play(honest);
      await until("replayed");
    }
  },
});
