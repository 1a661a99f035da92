import assert from "node:assert/strict";
import { socketAddress } from "../../src/io/mod.ts";
import { ClientLimits } from "../../src/proxy/client_limits.ts";
import {
  ClientStartup,
  type StartupContext,
} from "../../src/proxy/client_startup.ts";
import {
  ConnectionTable,
  createConnectionTable,
} from "../../src/stats/connection_table.ts";
import {
  decodeStartupMessage,
  encodeStartupMessage,
  SSL_REQUEST,
} from "../../src/wire/mod.ts";
import { NO_LIMITS, openDoor } from "../support/no_limits.ts";
import { NO_TLS } from "../support/no_tls.ts";
import { concat, int32, query } from "../support/wire_client.ts";

const SSL = concat([int32(8), int32(SSL_REQUEST)]);
const STARTUP = encodeStartupMessage([["user", "ann"], ["database", "db"]]);
const decoder = new TextDecoder();

function context(auth: StartupContext["auth"] = undefined): StartupContext {
  const clients = new ConnectionTable(createConnectionTable(4));
  return {
    auth,
    clients,
    door: openDoor(clients),
    limits: new ClientLimits(NO_LIMITS, [clients]),
    settings: {
      tls: NO_TLS,
      tlsClientRequired: false,
      routes: [{
        name: "db",
        label: "primary",
        host: "127.0.0.1",
        port: 1,
        address: socketAddress("127.0.0.1", 1),
        databaseName: "real",
        mirrors: [],
        admin: false,
        tls: undefined,
        current: true,
      }],
      limits: NO_LIMITS,
      maxDescriptors: Infinity,
      auth,
      connectTimeoutMs: 1,
      loginTimeoutMs: 1,
      maxTransactionBytes: 1,
      compare: "off",
      compareBytes: 0,
      spillBytes: 0,
    },
  };
}

function startup(auth: StartupContext["auth"] = undefined): ClientStartup {
  const of = context(auth);
  return new ClientStartup(of, of.clients.open("", 0, 0), false, undefined);
}

Deno.test("ClientStartup: requests for encryption and the packet, in one piece and bytewise", () => {
  const bytes = concat([SSL, STARTUP]);
  const whole = startup();
  const steps = [whole.take(bytes, bytes.length)];
  const answers = [whole.toClient];
  const slow = startup();
  for (const byte of bytes) {
    steps.push(slow.take(Uint8Array.of(byte), 1));
    answers.push(slow.toClient);
  }
  assert.equal(decoder.decode(concat(answers)), "NN");
  const last = steps.splice(1, bytes.length - 1);
  assert.ok(last.every(({ kind }) => kind === "more"));
  for (const step of steps) {
    assert.ok(step.kind === "connect", step.kind);
    const { identity, packet, own } = step.admitted;
    assert.equal(own, undefined);
    assert.deepEqual(identity, {
      user: "ann",
      parameters: "user\0ann\0database\0db\0",
      replication: false,
    });
    // Only the database's name on the primary is another.
    assert.deepEqual(
      decodeStartupMessage(packet.subarray(4)).parameters,
      [["user", "ann"], ["database", "real"]],
    );
  }
});

Deno.test("ClientStartup: what comes behind the packet is handed on, or refused where the client has to prove itself", () => {
  const select = query("select 1");
  const bytes = concat([STARTUP, select]);
  const relayed = startup().take(bytes, bytes.length);
  assert.ok(relayed.kind === "connect");
  assert.deepEqual(relayed.admitted.rest, select);
  const own = startup({
    type: "plain",
    accounts: [],
    mockSecret: new Uint8Array(32),
  });
  const refused = own.take(bytes, bytes.length);
  assert.ok(refused.kind === "refused");
  assert.match(decoder.decode(refused.fatal), /C08P01\0.*before its login/);
  assert.equal(own.toClient.length, 0);
});

Deno.test("ClientStartup: a refusal comes behind the answer to the request for encryption", () => {
  const nowhere = encodeStartupMessage([["user", "ann"]]);
  const bytes = concat([SSL, nowhere]);
  const client = startup();
  const step = client.take(bytes, bytes.length);
  assert.equal(decoder.decode(client.toClient), "N");
  assert.ok(step.kind === "refused");
  assert.match(decoder.decode(step.fatal), /^E.*C3D000\0/s);
});

Deno.test("ClientStartup: a third request for encryption is no PostgreSQL client's", () => {
  const bytes = concat([SSL, SSL, SSL]);
  assert.equal(startup().take(bytes, bytes.length).kind, "closed");
});
