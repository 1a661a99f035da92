import assert from "node:assert/strict";
import {
  BINDING_ASKED,
  ChannelBinding,
  TOO_LONG,
} from "../../src/proxy/channel_binding.ts";
import { concat, int32, message } from "../support/wire_client.ts";

const OFFER = message("R", int32(10), "SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
const STRIPPED = message("R", int32(10), "SCRAM-SHA-256\0\0");
const NEGOTIATE = message("v", int32(196608), int32(0));
const first = (mechanism: string) =>
  message("p", `${mechanism}\0`, int32(5), "n,,x=");

/** What goes on when `bytes` come in pieces of `size`; undefined once it was refused. */
function relay(
  take: (chunk: Uint8Array<ArrayBuffer>, length: number) => number,
  bytes: Uint8Array,
  size = bytes.length,
): Uint8Array | number {
  const out: Uint8Array[] = [];
  const scratch = new Uint8Array(1_024);
  for (let at = 0; at < bytes.length; at += size) {
    const piece = bytes.subarray(at, at + size);
    scratch.set(piece);
    const length = take(scratch, piece.length);
    if (length < 0) return length;
    out.push(scratch.slice(0, length));
  }
  return concat(out);
}

for (const size of [1, 7, 1_024]) {
  Deno.test(`channel binding: a client in clear is offered no PLUS, in pieces of ${size}`, () => {
    const binding = new ChannelBinding(false);
    const bytes = concat([NEGOTIATE, OFFER]);
    assert.deepEqual(
      relay((c, n) => binding.server(c, n), bytes, size),
      concat([NEGOTIATE, STRIPPED]),
    );
    assert.ok(binding.done);
  });

  Deno.test(`channel binding: a client on TLS sees the list as it is, in pieces of ${size}`, () => {
    for (
      const [mechanism, refused] of [
        ["SCRAM-SHA-256", false],
        ["SCRAM-SHA-256-PLUS", true],
        ["SCRAM-SHA-256-PLUSPLUS", false],
      ] as const
    ) {
      const binding = new ChannelBinding(true);
      const server = concat([NEGOTIATE, OFFER]);
      assert.deepEqual(
        relay((c, n) => binding.server(c, n), server, size),
        server,
      );
      const client = first(mechanism);
      assert.deepEqual(
        relay((c, n) => binding.client(c, n), client, size),
        refused ? BINDING_ASKED : client,
        mechanism,
      );
    }
  });
}

Deno.test("channel binding: other logins pass untouched", () => {
  for (
    const bytes of [
      message("R", int32(0)),
      message("R", int32(5), "salt"),
      message("E", "SFATAL\0\0"),
      message("R", int32(10), "SCRAM-SHA-256\0\0"),
      // It offers nothing else: nothing would be left.
      message("R", int32(10), "SCRAM-SHA-256-PLUS\0\0"),
    ]
  ) {
    const binding = new ChannelBinding(false);
    assert.deepEqual(relay((c, n) => binding.server(c, n), bytes), bytes);
    assert.ok(binding.done);
  }
});

Deno.test("channel binding: a password that reads like the mechanism is a password", () => {
  const binding = new ChannelBinding(true);
  relay((c, n) => binding.server(c, n), message("R", int32(3)));
  const password = message("p", "SCRAM-SHA-256-PLUS\0");
  assert.deepEqual(relay((c, n) => binding.client(c, n), password), password);
});

Deno.test("channel binding: a first message without end is not collected for ever", () => {
  const binding = new ChannelBinding(false);
  const endless = concat([
    new Uint8Array([0x52]),
    int32(2 ** 31 - 1),
    new Uint8Array(100_000),
  ]);
  assert.equal(
    relay((c, n) => binding.server(c, n), endless, 1_000),
    TOO_LONG,
  );
});
