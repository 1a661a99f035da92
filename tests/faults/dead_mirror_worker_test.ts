import assert from "node:assert/strict";
import { startCluster } from "../support/cluster.ts";
import { TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";
import { query, WireClient } from "../support/wire_client.ts";

Deno.test({
  name:
    "isolation: with the mirror worker dead clients are served, and what they do is dropped, not pending for ever",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "15" });
    const folder = await Deno.makeTempDir();
    const file = `${folder}/dead`;
    const probe = new URL("../support/killer.ts", import.meta.url);
    probe.searchParams.set("file", file);
    await using proxy = await TestProxy.start({
      primary,
      mirror,
      plugins: [{
        id: "killer",
        parseConfig: (raw) => raw,
        create: () => ({}),
        probe,
      }],
    });
    const session = async () => {
      const client = await WireClient.connect(proxy.port);
      await client.send(query("select 1"));
      assert.equal(await client.ready(1), "I");
      await client.terminate();
    };
    await session();
    await proxy.settled();
    await Deno.writeTextFile(file, "");
    const died = /A worker has failed .*"worker":"mirror"/;
    await waitFor(
      "the mirror worker to die",
      () => proxy.logs.some((line) => died.test(line)),
      10_000,
    );
    const count = 20;
    for (let i = 0; i < count; i++) await session();
    const { seen, replayed, pending, dropped } = await proxy.settled();
    assert.deepEqual(
      { seen, replayed, pending, dropped },
      {
        seen: count + 1,
        replayed: 1,
        pending: 0,
        dropped: { queue_full: count },
      },
    );
    // The window begins without its counts, which stand still.
    const verdict = async () => {
      const [first] = await proxy.admin("SHOW MIRROR READINESS");
      return String(first?.reason);
    };
    assert.match(await verdict(), /because the proxy was started/);
    await proxy.admin("RESET MIRROR WINDOW");
    assert.match(await verdict(), /because of RESET MIRROR WINDOW/);
    assert.match(await verdict(), /there was no traffic/);
    assert.deepEqual(await proxy.admin("SHOW MIRROR STATEMENTS"), []);
    await session();
    assert.equal((await proxy.settled()).seen, count + 2);
    assert.doesNotMatch(await verdict(), /there was no traffic/);
    await Deno.remove(folder, { recursive: true });
  },
});
