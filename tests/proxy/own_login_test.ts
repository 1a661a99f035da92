import assert from "node:assert/strict";
import { OwnLogin } from "../../src/proxy/own_login.ts";
import { message } from "../support/wire_client.ts";

Deno.test("OwnLogin: a password that comes in two pieces is not asked for again", () => {
  const login = new OwnLogin(
    {
      type: "plain",
      accounts: [{
        name: "ann",
        databases: undefined,
        verifier: undefined,
        password: "secret",
        md5: undefined,
        serverUser: "app",
        serverPassword: undefined,
      }],
      mockSecret: new Uint8Array(32),
    },
    "ann",
    "db",
  );
  assert.equal(login.start(), "more");
  assert.ok(login.toClient.length > 0);
  const answer = message("p", "secret\0");
  assert.equal(login.client(answer, 7), "more");
  assert.equal(login.toClient.length, 0);
  const rest = answer.slice(7);
  assert.equal(login.client(rest, rest.length), "accepted");
});
