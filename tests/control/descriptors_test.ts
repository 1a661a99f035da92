import assert from "node:assert/strict";
import {
  descriptorLimit,
  shareDescriptors,
} from "../../src/control/descriptors.ts";
import {
  closeDescriptor,
  connect,
  leaveDescriptors,
  nextDescriptor,
  socketAddress,
} from "../../src/io/mod.ts";

Deno.test("shareDescriptors: with all clients there, each has its lanes, and the console and HTTP the rest", () => {
  for (const limit of [256, 1_024, 65_536, 1_048_576]) {
    for (const mirrors of [0, 1, 2, 5]) {
      const { clients, lanes } = shareDescriptors(limit, 2, mirrors);
      const sessions = Math.floor(clients / 2);
      assert.ok(2 * sessions + mirrors * sessions <= lanes);
      assert.ok(lanes <= limit - Math.min(256, limit / 4));
      assert.ok(clients >= limit / 5);
    }
  }
  assert.deepEqual(shareDescriptors(1_024, 1, 0), { clients: 768, lanes: 768 });
  assert.equal(shareDescriptors(Infinity, 1, 1).clients, Infinity);
});

Deno.test("descriptorLimit: is the process's own", () => {
  assert.ok(descriptorLimit() > nextDescriptor());
});

Deno.test("leaveDescriptors: a thread makes no socket where others have their share", () => {
  const address = socketAddress("127.0.0.1", 1);
  const next = nextDescriptor();
  leaveDescriptors(next);
  try {
    assert.throws(() => connect(address), /out of descriptors/);
    assert.equal(nextDescriptor(), next, "none is left open");
    leaveDescriptors(next + 1);
    closeDescriptor(connect(address));
  } finally {
    leaveDescriptors(Infinity);
  }
});
