import assert from "node:assert/strict";
import { encodeStartupMessage } from "../../src/wire/mod.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { type Gate, startGate } from "../support/gate.ts";
import { TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";
import { query, WireClient } from "../support/wire_client.ts";

const STARTUP = encodeStartupMessage([
  ["user", "postgres"],
  ["database", "postgres"],
]);
const REQUESTS = 5;

/** What a test brings a session to. */
interface Stage {
  readonly client: WireClient;
  /** Brings it from there to the end of its login, if that is still to come. */
  goOn(): Promise<void>;
}

/**
 * The states of a session (session.ts), each brought about. "idle" and "in a
 * block" are behind the login: what such a session did before is in no
 * account of a mirror that comes later.
 */
const STATES: Readonly<
  Record<string, (proxy: TestProxy, gate: Gate) => Promise<Stage>>
> = {
  async startup(proxy) {
    const client = await connect(proxy);
    await client.send(STARTUP.subarray(0, 6));
    return {
      client,
      async goOn() {
        await client.send(STARTUP.subarray(6));
        await client.ready(1);
      },
    };
  },
  async login(proxy, gate) {
    gate.shut();
    const before = gate.connections;
    const client = await connect(proxy);
    await client.send(STARTUP);
    await waitFor(
      "the primary's connection",
      () => gate.connections > before,
      10_000,
    );
    return {
      client,
      async goOn() {
        gate.open();
        await client.ready(1);
      },
    };
  },
  async idle(proxy) {
    const client = await WireClient.connect(proxy.port);
    return { client, goOn: () => Promise.resolve() };
  },
  async "in a block"(proxy) {
    const client = await WireClient.connect(proxy.port);
    await client.send(query("begin"));
    await client.ready(1);
    return {
      client,
      async goOn() {
        await client.send(query("commit"));
        await client.ready(1);
      },
    };
  },
};

/** What RELOAD makes of the mirror, and the account of requests that come then. */
const CHANGES: Readonly<
  Record<string, (toml: string, elsewhere: Cluster) => string>
> = {
  "a mirror comes": (toml) => toml,
  "the mirror goes": (toml) => withoutMirror(toml),
  "the mirror moves": (toml, { port }) =>
    toml.replace(
      /(name = "the_mirror"\nhost = "127.0.0.1"\nport = )\d+/,
      `$1${port}`,
    ),
};

function withoutMirror(toml: string): string {
  return toml.replace(/\[\[mirroring\]\][^[]*/, "");
}

async function connect({ port }: TestProxy): Promise<WireClient> {
  return new WireClient(await Deno.connect({ hostname: "127.0.0.1", port }));
}

Deno.test({
  name:
    "reload: it reaches a session in every state, and what comes then is in the account of what is in force",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "15" });
    await using elsewhere = await startCluster({ version: "15" });
    await using gate = await startGate(primary);
    for (const [change, edit] of Object.entries(CHANGES)) {
      for (const [state, bring] of Object.entries(STATES)) {
        await t.step(`${change}: ${state}`, async () => {
          await using proxy = await TestProxy.start({ primary: gate, mirror });
          const full = proxy.toml;
          if (change === "a mirror comes") {
            proxy.toml = withoutMirror(full);
            await proxy.admin("RELOAD");
          }
          const { client, goOn } = await bring(proxy, gate);
          using _client = client;
          proxy.toml = edit(full, elsewhere);
          await proxy.admin("RELOAD");
          await goOn();
          for (let i = 0; i < REQUESTS; i++) {
            await client.send(query(`select ${i}`));
            await client.ready(1);
          }
          await client.terminate();
          const { seen, replayed, dropped } = await proxy.settled();
          // A block that was open belongs to the mirror that it began with.
          const open = state === "in a block" && change !== "a mirror comes";
          const blocks = open ? 1 : 0;
          if (change === "the mirror goes") return assert.equal(seen, blocks);
          assert.equal(seen, REQUESTS + blocks);
          // A session that began before there was any mirror can't be compared.
          const isKnown = change === "the mirror moves" ||
            state === "startup" || state === "login";
          assert.equal(replayed, isKnown ? REQUESTS : 0);
          assert.deepEqual(dropped, {
            ...(isKnown ? {} : { session_tainted: REQUESTS }),
            ...(open ? { removed: blocks } : {}),
          });
        });
      }
    }
  },
});
