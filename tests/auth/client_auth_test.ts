import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  accountFor,
  type AccountSettings,
  type AuthStep,
  type AuthType,
  ClientAuth,
} from "../../src/auth/mod.ts";
import { md5Password } from "../../src/wire/mod.ts";
import { formatVerifier, ScramClient } from "../../src/wire/scram.ts";
import { concat, int32 } from "../support/wire_client.ts";

const SECRET = new Uint8Array(32);
const encoder = new TextEncoder();
const decoder = new TextDecoder();

const md5 = (password: string, user: string) =>
  createHash("md5").update(password + user).digest("hex");
const account = (settings: Partial<AccountSettings> = {}) =>
  accountFor({ name: "ann", password: "s3cret", ...settings }, md5);

/** What comes behind the code of an Authentication message. */
function data(step: AuthStep): Uint8Array {
  assert.ok(step.kind !== "refused");
  return step.send.slice(9);
}

/** Logs in as a driver does. */
function login(
  type: AuthType,
  password: string,
  known: ReturnType<typeof account> | undefined,
): AuthStep["kind"] {
  const auth = new ClientAuth(type, "ann", known, SECRET);
  const first = auth.start();
  if (type === "trust") return first.kind;
  assert.equal(first.kind, "more");
  if (type === "plain") {
    return auth.take(encoder.encode(`${password}\0`)).kind;
  }
  if (type === "md5") {
    const text = md5Password("ann", password, data(first));
    return auth.take(encoder.encode(`${text}\0`)).kind;
  }
  assert.equal(decoder.decode(data(first)), "SCRAM-SHA-256\0\0");
  const client = new ScramClient({ user: "", password });
  const clientFirst = encoder.encode(client.first());
  const body = new Uint8Array(14 + 4 + clientFirst.length);
  body.set(encoder.encode("SCRAM-SHA-256\0"));
  new DataView(body.buffer).setInt32(14, clientFirst.length);
  body.set(clientFirst, 18);
  const second = auth.take(body);
  assert.equal(second.kind, "more");
  const last = auth.take(
    encoder.encode(client.continue(decoder.decode(data(second)))),
  );
  if (last.kind === "accepted") client.verify(decoder.decode(data(last)));
  return last.kind;
}

for (const type of ["scram", "md5", "plain"] as const) {
  Deno.test(`ClientAuth: ${type} lets the right password in, and nobody else`, () => {
    assert.equal(login(type, "s3cret", account()), "accepted");
    assert.equal(login(type, "guess", account()), "refused");
    assert.equal(login(type, "", account()), "refused");
    assert.equal(login(type, "s3cret", undefined), "refused", "no such user");
    assert.equal(login(type, "", account({ password: "" })), "refused");
    assert.equal(login(type, "", account({ password: undefined })), "refused");
  });
}

Deno.test("ClientAuth: trust takes who is listed", () => {
  assert.equal(login("trust", "", account()), "accepted");
  assert.equal(login("trust", "", undefined), "refused");
});

Deno.test("ClientAuth: stored verifiers and hashes do without the password", () => {
  const { verifier } = account();
  assert.ok(verifier !== undefined);
  const stored = account({ password: formatVerifier(verifier) });
  assert.equal(login("scram", "s3cret", stored), "accepted");
  assert.equal(login("scram", "guess", stored), "refused");
  assert.equal(login("plain", "s3cret", stored), "refused");
  assert.equal(stored.serverPassword, undefined);
  const hashed = account({ password: `md5${md5("s3cret", "ann")}` });
  assert.equal(login("md5", "s3cret", hashed), "accepted");
  assert.equal(login("md5", "guess", hashed), "refused");
  assert.equal(login("scram", "s3cret", hashed), "refused");
});

Deno.test("ClientAuth: malformed messages break the protocol, and read nothing beyond", () => {
  const auth = () => {
    const fresh = new ClientAuth("scram", "ann", account(), SECRET);
    fresh.start();
    return fresh;
  };
  for (
    const [bytes, what] of [
      [new Uint8Array(0), /mechanism/],
      [encoder.encode("SCRAM-SHA-1\0"), /invalid SASL/],
      // A response length of 2^31 - 1.
      [encoder.encode("SCRAM-SHA-256\0\x7f\xff\xff\xff"), /response/],
      [encoder.encode("SCRAM-SHA-256\0\0\0\0\x03n,,"), /malformed SCRAM/],
    ] as const
  ) assert.throws(() => auth().take(bytes), what);
  const plain = new ClientAuth("plain", "ann", account(), SECRET);
  assert.throws(() => plain.take(encoder.encode("no end")), /zero byte/);
  assert.throws(() => plain.take(encoder.encode("a\0b\0")), /followed by/);
});

Deno.test("ClientAuth: PLUS is offered with a certificate only, and another channel is 28000", () => {
  const start = (certificateHash?: Uint8Array) => {
    const auth = new ClientAuth(
      "scram",
      "ann",
      account(),
      SECRET,
      certificateHash,
    );
    return { auth, offer: decoder.decode(data(auth.start())) };
  };
  const first = (mechanism: string, message: string) =>
    concat([
      encoder.encode(`${mechanism}\0`),
      int32(message.length),
      encoder.encode(message),
    ]);
  const hash = new Uint8Array(32);
  const plus = "SCRAM-SHA-256-PLUS";

  assert.equal(start().offer, "SCRAM-SHA-256\0\0");
  assert.throws(
    () => start().auth.take(first(plus, "p=tls-server-end-point,,n=,r=a")),
    { sqlstate: "08P01", message: /invalid SASL authentication mechanism/ },
  );
  assert.equal(start(hash).offer, `${plus}\0SCRAM-SHA-256\0\0`);
  assert.throws(
    () => start(hash).auth.take(first("SCRAM-SHA-256", "y,,n=,r=a")),
    { sqlstate: "28000", message: /channel binding negotiation error/ },
  );
  const { auth } = start(hash);
  const second = auth.take(first(plus, "p=tls-server-end-point,,n=,r=a"));
  const nonce = /r=([^,]+)/.exec(decoder.decode(data(second)))?.[1];
  const proof = btoa("x".repeat(32));
  assert.throws(
    () => auth.take(encoder.encode(`c=biws,r=${nonce},p=${proof}`)),
    { sqlstate: "28000", message: /channel binding check failed/ },
  );
});

Deno.test("accountFor: who the proxy is to the primary", () => {
  assert.equal(account().serverUser, "ann");
  assert.equal(account().serverPassword, "s3cret");
  const other = account({ server_user: "app", server_password: "x" });
  assert.deepEqual([other.serverUser, other.serverPassword], ["app", "x"]);
});
