import assert from "node:assert/strict";
import { atOnce } from "./at_once.ts";

Deno.test("atOnce: two of five run at a time, in their order", async () => {
  const begun: number[] = [];
  let running = 0;
  let most = 0;
  await atOnce(2, [1, 2, 3, 4, 5], async (item) => {
    begun.push(item);
    most = Math.max(most, ++running);
    await Promise.resolve();
    running--;
  });
  assert.deepEqual(begun, [1, 2, 3, 4, 5]);
  assert.equal(most, 2);
});

Deno.test("atOnce: all end, and what the first of them threw is thrown", async () => {
  const ended: number[] = [];
  const third = Promise.withResolvers<void>();
  await assert.rejects(
    atOnce(2, [1, 2, 3, 4], async (item) => {
      // The third fails before the second does.
      if (item === 2) await third.promise;
      if (item === 3) third.resolve();
      ended.push(item);
      if (item === 2 || item === 3) throw new Error(`${item}`);
    }),
    { message: "2" },
  );
  assert.deepEqual(ended.toSorted(), [1, 2, 3, 4]);
});
