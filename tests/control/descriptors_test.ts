import assert from "node:assert/strict";
import {
  descriptorLimit,
  requireDescriptors,
  shareDescriptors,
} from "../../src/control/descriptors.ts";
import {
  closeDescriptor,
  connect,
  leaveDescriptors,
  nextDescriptor,
  socketAddress,
} from "../../src/io/mod.ts";

Deno.test("shareDescriptors: with all clients there, each has its lanes, however low the console and HTTP sit, and these have the rest", () => {
  for (const limit of [256, 1_024, 65_536, 1_048_576]) {
    for (const mirrors of [0, 1, 2, 5]) {
      const { clients, lanes } = shareDescriptors(limit, 2, mirrors);
      const sessions = Math.floor(clients / 2);
      const others = Math.min(256, limit / 4);
      const below = mirrors === 0 ? 0 : others;
      assert.ok(below + 2 * sessions + mirrors * sessions <= lanes);
      assert.ok(lanes <= limit - others);
      assert.ok(clients >= Math.floor(limit / (2 + mirrors)));
    }
  }
  assert.deepEqual(shareDescriptors(1_024, 1, 0), { clients: 768, lanes: 768 });
  assert.equal(shareDescriptors(Infinity, 1, 1).clients, Infinity);
});

Deno.test("requireDescriptors: names a limit at which it does start", () => {
  for (const [workers, mirrors] of [[1, 0], [1, 1], [4, 2], [64, 5]] as const) {
    const need = (limit: number) =>
      requireDescriptors(limit, workers, mirrors, 30);
    const message =
      /limit of open files is 64, and (\d+) are needed .* 8 clients; .*LimitNOFILE/;
    let least = 0;
    assert.throws(() => need(64), (error: Error) => {
      least = Number(message.exec(error.message)?.[1]);
      return true;
    });
    need(least);
    need(1_048_576);
    need(Infinity);
    const { clients } = shareDescriptors(least, workers, mirrors);
    assert.ok(clients >= 30 + 9 * workers + 8 + 2 * 8, "there is room");
    assert.ok(least < 20 * clients, "and not too much of it");
    assert.throws(() => need(least - 8));
  }
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
