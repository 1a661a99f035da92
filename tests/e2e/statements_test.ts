import assert from "node:assert/strict";
import postgres from "postgres";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";

const CLIENT = "the_client";
const LOGGED = { log_statement: "all", log_line_prefix: "%a|" };

Deno.test({
  name:
    "statements: the primary gets what the client sent and no more, the mirror nothing else and nothing twice",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using primary = await startCluster({
      version: "15",
      settings: LOGGED,
    });
    await using mirror = await startCluster({
      version: "18",
      settings: LOGGED,
    });
    await using proxy = await TestProxy.start({
      primary,
      mirror,
      general: { mirror_timeout: 2_000 },
    });
    const sql = postgres(proxy.url(), {
      max: 4,
      fetch_types: false,
      connection: { application_name: CLIENT },
    });
    const sent: string[] = [];
    const send = async (count: number) => {
      for (let i = 0; i < count; i++) {
        const text = `select 'number ${sent.length}' as it`;
        sent.push(text);
        // Simple, unnamed and named statements in turn.
        if (i % 3 === 0) await sql.unsafe(text);
        else await sql.unsafe(text, [], { prepare: i % 3 === 1 });
      }
    };
    await send(60);
    await proxy.replayed(60);
    // A mirror that dies in the middle and comes back gets nothing again.
    const sending = send(200);
    await proxy.replayed(100);
    mirror.kill("SIGKILL");
    await mirror.exited();
    await sending;
    await mirror.start();
    await waitFor("the mirror to take replays again", async () => {
      const before = proxy.ledger().replayed;
      await send(3);
      await waitFor("settled", () => proxy.ledger().pending === 0, 10_000);
      return proxy.ledger().replayed > before;
    }, 60_000);
    await send(30);
    await sql.end();
    const ledger = await proxy.settled();

    const onPrimary = await statements(primary);
    assert.deepEqual(onPrimary.toSorted(), sent.toSorted());
    const onMirror = await statements(mirror);
    assert.equal(new Set(onMirror).size, onMirror.length, "nothing twice");
    const known = new Set(sent);
    assert.deepEqual(onMirror.filter((text) => !known.has(text)), []);
    assert.ok(onMirror.length >= ledger.replayed, JSON.stringify(ledger));
    assert.ok(ledger.replayed > 100);
  },
});

/** What a server has executed for the client, from its log. */
async function statements(cluster: Cluster): Promise<string[]> {
  const log = await Deno.readTextFile(cluster.logFile);
  return log.split("\n").flatMap((line) => {
    if (!line.startsWith(`${CLIENT}|`)) return [];
    const text = /^[^|]*\|LOG:\s+(?:statement|execute [^:]*): (.*)$/.exec(line);
    return text?.[1] ?? [];
  });
}
