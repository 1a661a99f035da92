import assert from "node:assert/strict";
import { assertClosed } from "../support/ledgers.ts";
import { loadModule } from "libpg-query";
import { encodeStartupMessage } from "../../src/wire/mod.ts";
import { ShapeCache } from "../../src/sql/shape_cache.ts";
import {
  DIRECT,
  PROXIED,
  startModelServer,
} from "../support/model/model_run.ts";
import { mutate, randomOf, record } from "../support/mutation.ts";
import { runMutations } from "../support/mutation_run.ts";
import { TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";
import { concat, query, WireClient } from "../support/wire_client.ts";

/** Kept; `FUZZ_SEED` takes another. */
const SEED = Number(Deno.env.get("FUZZ_SEED") ?? 11);
const MUTATIONS = 20_000;
const LIMIT_MS = 30_000;
const WHOLE = 300;
const parameters = (database: string) => ({
  user: "postgres",
  database,
  options: "-c search_path=w0",
});

Deno.test({
  name: "proxy: mutated sessions crash, hang and leak nothing",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await loadModule();
    await using primary = await startModelServer(1);
    const recordings = await record(primary.port, parameters(DIRECT), {
      sessions: 40,
      seed: SEED,
    });
    assert.ok(recordings.length > 10, `${recordings.length} recordings`);

    await t.step("tap, ring and replay", () => {
      const done = runMutations(recordings, new ShapeCache(10_000), {
        seed: SEED * 1_000_000,
        mutations: MUTATIONS,
        limitMs: LIMIT_MS,
      });
      console.log(`seed ${SEED}: ${done} of ${MUTATIONS} mutations`);
      assert.ok(done > 1_000, `only ${done} mutations`);
    });

    await t.step("the whole proxy, with a mirror", async () => {
      await using mirror = await startModelServer(1);
      await using proxy = await TestProxy.start({
        primary,
        mirror,
        database: PROXIED,
        general: {
          mirror_timeout: 1_000,
          connect_timeout: 5_000,
          mirror_pacing: "asap",
          mirror_order: "client",
        },
      });
      const random = randomOf(SEED);
      const login = encodeStartupMessage(Object.entries(parameters(PROXIED)));
      for (let i = 0; i < WHOLE; i++) {
        const recording = recordings[i % recordings.length];
        const all = concat(recording?.client ?? []);
        // Now and then it is the login itself.
        if (i % 10 === 0) {
          const bytes = concat([mutate(login, random), all]);
          await talk(await Deno.connect({ port: proxy.port }), bytes);
          continue;
        }
        using client = await WireClient.connect(
          proxy.port,
          parameters(PROXIED),
        );
        // A side that has closed may do so with a reset.
        await Promise.allSettled([
          client.send(mutate(all, random)).then(() => client.finish()),
          client.end(),
        ]);
      }
      await waitFor("all clients to go", () => proxy.clients === 0, 20_000);
      const ledger = await proxy.settled();
      assertClosed(ledger);
      assert.equal(ledger.failed.internal ?? 0, 0, proxy.logs.join("\n"));
      assert.ok(ledger.replayed > WHOLE, JSON.stringify(ledger));
      console.log(`${WHOLE} sessions: ${JSON.stringify(ledger)}`);
      using client = await WireClient.connect(
        proxy.port,
        parameters(PROXIED),
      );
      await client.send(query("select 1"));
      await client.ready(1);
    });
  },
});

/** Sends everything, says that this was all, and reads until the other side closes. */
async function talk(conn: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  const send = async () => {
    for (let at = 0; at < bytes.length;) {
      at += await conn.write(bytes.subarray(at));
    }
    await conn.closeWrite();
  };
  const receive = async () => {
    const chunk = new Uint8Array(65_536);
    while (await conn.read(chunk) !== null);
  };
  await Promise.allSettled([send(), receive()]);
  conn.close();
}
