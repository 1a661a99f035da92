import assert from "node:assert/strict";
import { replicaWarning } from "../../src/control/replica_warning.ts";

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
