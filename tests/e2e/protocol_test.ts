import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import {
  BACKEND_KEY_DATA,
  CANCEL_REQUEST,
  encodeStartupMessage,
} from "../../src/wire/mod.ts";
import { preparePrograms } from "../../src/cli/demo/programs.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { hasProgram } from "../support/programs.ts";
import { TestProxy } from "../support/proxy.ts";
import { psql } from "../support/psql.ts";
import { waitFor } from "../support/wait.ts";
import { concat, int32, query, WireClient } from "../support/wire_client.ts";

const OPTIONS = { sanitizeOps: false, sanitizeResources: false };
const VERSIONS = ["15", "18"] as const;
const USERS = `
[[users]]
name = "postgres"
`;

/** A protocol version as it stands in a startup packet. */
function protocol(major: number, minor: number): number {
  return major << 16 | minor;
}

interface Message {
  readonly type: number;
  readonly body: Uint8Array;
}

function messages(bytes: Uint8Array): Message[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const all: Message[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + view.getInt32(at + 1);
    all.push({ type: bytes[at] as number, body: bytes.slice(at + 5, end) });
    at = end;
  }
  return all;
}

async function dial(port: number): Promise<WireClient> {
  return new WireClient(await Deno.connect({ hostname: "127.0.0.1", port }));
}

/** Logs in, and keeps what the server said. */
async function login(
  port: number,
  version: number,
  options: Readonly<Record<string, string>>,
): Promise<{ client: WireClient; said: Message[] }> {
  const client = await dial(port);
  await client.send(encodeStartupMessage(
    Object.entries({ user: "postgres", database: "postgres", ...options }),
    version,
  ));
  await client.ready(1);
  const said = messages(client.bytes);
  client.received.length = 0;
  return { client, said };
}

/** A login as text, line by line; of the cancel key, which is never the same, its length. */
async function transcript(
  port: number,
  version: number,
  options: Readonly<Record<string, string>>,
): Promise<string[]> {
  const { client, said } = await login(port, version, options);
  await client.terminate();
  return said.map(({ type, body }) => {
    const what = type === BACKEND_KEY_DATA
      ? `${body.length} bytes`
      : [...body].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return `${String.fromCharCode(type)} ${what}`;
  });
}

/** All that the server says to a startup packet before it closes. */
async function refusal(port: number, version: number): Promise<string> {
  using client = await dial(port);
  await client.send(encodeStartupMessage([["user", "postgres"]], version));
  return new TextDecoder("latin1").decode(await client.end());
}

for (const version of VERSIONS) {
  Deno.test({
    name:
      `protocol: versions and _pq_ options are negotiated as PostgreSQL ${version} does`,
    ...OPTIONS,
    async fn() {
      await using primary = await startCluster({ version });
      await using mirror = await startCluster({ version });
      await using relayed = await TestProxy.start({ primary, mirror });
      await using own = await TestProxy.start({
        primary,
        general: { auth_type: "trust" },
        more: USERS,
      });
      const asked = [
        [protocol(3, 0), {}],
        [protocol(3, 0), { "_pq_.first": "1", "_pq_.second": "é" }],
        [protocol(3, 1), {}],
        [protocol(3, 2), {}],
        [protocol(3, 2), { "_pq_.first": "1", application_name: "a" }],
        [protocol(3, 9999), {}],
      ] as const;
      let negotiated = 0;
      for (const [minor, options] of asked) {
        const direct = await transcript(primary.port, minor, options);
        const name = `${minor & 0xffff} ${JSON.stringify(options)}`;
        assert.deepEqual(
          await transcript(relayed.port, minor, options),
          direct,
          `relayed: ${name}`,
        );
        assert.deepEqual(
          await transcript(own.port, minor, options),
          direct,
          `auth_type: ${name}`,
        );
        if (direct.some((line) => line.startsWith("v "))) negotiated++;
      }
      assert.equal(negotiated, version === "15" ? 5 : 3);

      // A session of 3.2 is mirrored as any other; the lane speaks 3.0.
      const { client } = await login(relayed.port, protocol(3, 2), {});
      await client.send(query("select 1"));
      await client.ready(1);
      await client.terminate();
      const ledger = await relayed.settled();
      assert.deepEqual(ledger.statements, { match: 1 });
    },
  });
}

Deno.test({
  name: "protocol: a cancel with the long key of 3.2, and none with half of it",
  ...OPTIONS,
  async fn(t) {
    await using primary = await startCluster({ version: "18" });
    const auth = { relayed: {}, trust: { auth_type: "trust" } };
    for (const [name, general] of Object.entries(auth)) {
      await t.step(name, async () => {
        await using proxy = await TestProxy.start({
          primary,
          general,
          more: name === "trust" ? USERS : "",
        });
        const { client, said } = await login(proxy.port, protocol(3, 2), {});
        const key = said.find(({ type }) => type === BACKEND_KEY_DATA)?.body;
        assert.equal(key?.length, 4 + 32);
        await client.send(query("select pg_sleep(60)"));
        await waitFor("it to run", () => isSleeping(primary), 10_000);
        for (const bytes of [12, 35]) {
          await cancel(proxy.port, key.subarray(0, bytes));
        }
        await cancel(primary.port, key.subarray(0, 35)); // nor does the primary
        assert.ok(await isSleeping(primary));
        await cancel(proxy.port, key);
        await client.ready(1);
        assert.match(new TextDecoder().decode(client.bytes), /C57014\0/);
        await client.terminate();
      });
    }
  },
});

async function isSleeping(cluster: Cluster): Promise<boolean> {
  using client = await WireClient.connect(cluster.port);
  await client.send(query(
    "select 'asleep' from pg_stat_activity where wait_event = 'PgSleep'",
  ));
  await client.ready(1);
  return new TextDecoder("latin1").decode(client.bytes).includes("asleep");
}

/** @param key process ID and secret; resolves when the server has closed. */
async function cancel(port: number, key: Uint8Array): Promise<void> {
  using client = await dial(port);
  await client.send(
    concat([int32(8 + key.length), int32(CANCEL_REQUEST), key]),
  );
  assert.equal((await client.end()).length, 0);
}

Deno.test({
  name: "protocol: other major versions are refused in PostgreSQL's words",
  ...OPTIONS,
  async fn() {
    await using old = await startCluster({ version: "15" });
    await using primary = await startCluster({ version: "18" });
    await using proxy = await TestProxy.start({ primary });
    /** Without the place in the source, which only the server knows. */
    const words = async (port: number, version: number) =>
      (await refusal(port, version))
        .replace(/F[^\0]*\0L[^\0]*\0R[^\0]*\0/, "")
        .replace(/^E[^F]{4}(?=S)/, "E, length, ");
    for (
      const version of [
        ...[protocol(1, 0), protocol(2, 0), protocol(4, 0), protocol(99, 7)],
        // Next to the codes of SSLRequest and its kin.
        protocol(1234, 5677),
      ]
    ) {
      const direct = await words(primary.port, version);
      assert.match(direct, /FATAL.*unsupported frontend protocol/);
      assert.equal(await words(proxy.port, version), direct);
      const before = (await words(old.port, version)).replace(
        "to 3.0",
        "to 3.2",
      );
      assert.equal(before, direct);
    }
  },
});

Deno.test({
  name: "protocol: libpq 18 asks for 3.2 and takes what the primary negotiated",
  ...OPTIONS,
  ignore: !hasProgram("psql"),
  async fn() {
    const { postgres } = await preparePrograms("18");
    const env = {
      LD_LIBRARY_PATH: join(dirname(postgres), "..", "lib"),
      PGMAXPROTOCOLVERSION: "latest",
    };
    for (const version of VERSIONS) {
      await using primary = await startCluster({
        version,
        auth: "scram-sha-256",
      });
      for (const auth_type of ["scram", "trust"]) {
        await using proxy = await TestProxy.start({
          primary,
          general: { auth_type },
          more: `${USERS}password = "postgres"`,
        });
        const { text } = await psql(`${proxy.port}`, "", env);
        assert.equal(text, "one", `${auth_type}, PostgreSQL ${version}`);
      }
    }
  },
});
