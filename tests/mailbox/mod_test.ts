import assert from "node:assert/strict";
import {
  createMailbox,
  postSettings,
  readSettings,
} from "../../src/mailbox/mod.ts";
import { closeDescriptor, createWake } from "../../src/io/mod.ts";

Deno.test("mailbox: settings arrive as they were posted, each once, however large", () => {
  const wake = createWake();
  const mailbox = createMailbox(wake);
  assert.equal(readSettings(mailbox, 0), undefined);
  const small = {
    until: Infinity,
    bytes: new Uint8Array([1, 2]),
    none: undefined,
  };
  const first = postSettings(mailbox, small);
  const taken = readSettings<typeof small>(mailbox, 0);
  assert.equal(taken?.sequence, first);
  assert.equal(taken.settings.until, Infinity);
  assert.deepEqual([...taken.settings.bytes], [1, 2]);
  assert.equal(readSettings(mailbox, first), undefined);
  const large = { text: "x".repeat(1_000_000) };
  const second = postSettings(mailbox, large);
  assert.deepEqual(readSettings(mailbox, first), {
    sequence: second,
    settings: large,
  });
  // A smaller one after a larger one: nothing of the larger one is left.
  postSettings(mailbox, { a: 1 });
  assert.deepEqual(readSettings(mailbox, second)?.settings, { a: 1 });
  closeDescriptor(wake);
});

Deno.test("mailbox: settings that are being written are not read", () => {
  const wake = createWake();
  const mailbox = createMailbox(wake);
  postSettings(mailbox, { a: 1 });
  Atomics.add(new Int32Array(mailbox.buffer), 1, 1); // the writer has begun
  assert.equal(readSettings(mailbox, 0), undefined);
  closeDescriptor(wake);
});
