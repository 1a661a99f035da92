import assert from "node:assert/strict";
import { EpollReactor, socketAddress } from "../../src/io/mod.ts";
import { sendCancel } from "../../src/proxy/cancel.ts";
import type { ProxyContext } from "../../src/proxy/context.ts";
import {
  ConnectionTable,
  createConnectionTable,
  hashCancelKey,
} from "../../src/stats/connection_table.ts";
import { CANCEL_REQUEST, concat } from "../../src/wire/mod.ts";
import { int32 } from "../support/wire_client.ts";

Deno.test("sendCancel: without a descriptor for it the client is let go at once", () => {
  const clients = new ConnectionTable(createConnectionTable(4));
  const row = clients.open("", 0, 0);
  const key = int32(7);
  clients.identify(row, 0, "ann", "db", "");
  clients.setBackend(row, 42, hashCancelKey(key));
  const reactor = new EpollReactor();
  const context = {
    reactor,
    scratch: new Uint8Array(64),
    allClients: [clients],
    tls: undefined,
    settings: {
      connectTimeoutMs: 60_000,
      routes: [{
        // No such family: the kernel gives no socket, as without descriptors.
        address: { ...socketAddress("127.0.0.1", 1), family: -1 },
        tls: undefined,
      }],
    },
  } as unknown as ProxyContext;
  const packet = concat([int32(16), int32(CANCEL_REQUEST), int32(42), key]);
  let done = 0;
  assert.equal(sendCancel(context, packet, () => done++), true);
  assert.equal(done, 1);
});
