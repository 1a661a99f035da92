import assert from "node:assert/strict";
import { lookAtMirror, replicaWarning } from "../src/mirror_facts.ts";
import { startCluster } from "./support/cluster.ts";
import { freePort } from "./support/proxy.ts";

const silent = () => {};
const LOG = { debug: silent, info: silent, warn: silent, error: silent };

Deno.test("replicaWarning: a mix of mirror and level that can't work is named", () => {
  const primary = { version: "18", inRecovery: false, subscriptions: 0 };
  const standby = { ...primary, inRecovery: true };
  const subscriber = { ...primary, subscriptions: 1 };
  assert.equal(replicaWarning(primary, "all"), undefined);
  assert.equal(replicaWarning(standby, "read"), undefined);
  assert.equal(replicaWarning(subscriber, "read"), undefined);
  assert.match(replicaWarning(primary, "read") ?? "", /no replica/);
  assert.match(replicaWarning(standby, "all") ?? "", /physical replica/);
  assert.match(replicaWarning(subscriber, "dml") ?? "", /subscribes/);
});

Deno.test({
  name:
    "lookAtMirror: a real server says what it is, one that is away says nothing",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using cluster = await startCluster({ version: "18" });
    const database = {
      name: "next",
      host: cluster.host,
      port: cluster.port,
      database_name: "postgres",
      user: "postgres",
    };
    assert.deepEqual(await lookAtMirror(database, LOG), {
      version: "18.4",
      inRecovery: false,
      subscriptions: 0,
    });
    const away = { ...database, port: freePort() };
    assert.equal(await lookAtMirror(away, LOG), undefined);
  },
});
