import assert from "node:assert/strict";
import { type AuthSettings, OwnLogin } from "../../src/proxy/own_login.ts";
import {
  Collector,
  PASSWORD,
  PROTOCOL_VIOLATION,
  ProtocolError,
  Writer,
} from "../../src/wire/mod.ts";

/** A PasswordMessage whose body has so many bytes. */
function passwordMessage(bodyBytes: number): Uint8Array {
  const writer = new Writer({ maxBytes: bodyBytes + 64 });
  writer.begin(PASSWORD);
  writer.cstring("x".repeat(bodyBytes - 1));
  writer.end();
  return writer.take();
}

Deno.test("OwnLogin: a password of all the collector's bytes is looked at, one byte more is 08P01", () => {
  const settings: AuthSettings = {
    type: "plain",
    accounts: [{
      name: "ann",
      password: "x".repeat(Collector.MAX_BYTES - 1),
    }] as unknown as AuthSettings["accounts"],
    mockSecret: new Uint8Array(32),
  };
  const give = (bodyBytes: number) => {
    const login = new OwnLogin(settings, "ann", "shop");
    assert.equal(login.start(), "more");
    const message = passwordMessage(bodyBytes);
    // In two pieces, as it would come.
    const half = message.length >> 1;
    assert.equal(login.client(message, half), "more");
    return login.client(message.subarray(half), message.length - half);
  };
  assert.equal(give(Collector.MAX_BYTES), "accepted");
  assert.equal(give(Collector.MAX_BYTES - 1), "refused");
  assert.throws(
    () => give(Collector.MAX_BYTES + 1),
    (error) =>
      error instanceof ProtocolError &&
      error.sqlstate === PROTOCOL_VIOLATION && /too long/.test(error.message),
  );
});
