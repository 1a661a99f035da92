import assert from "node:assert/strict";
import {
  closeDescriptor,
  EpollReactor,
  SocketTransport,
} from "../../src/io/mod.ts";
import { Arrival } from "../../src/proxy/arrival.ts";
import { TlsContexts } from "../../src/tls/mod.ts";
import { encodeStartupMessage, SSL_REQUEST } from "../../src/wire/mod.ts";
import { Authority } from "../support/certificates.ts";
import { NO_TLS } from "../support/no_tls.ts";
import { connectedPair, turnUntil } from "../support/socket_peers.ts";
import { concat, int32 } from "../support/wire_client.ts";

Deno.test({
  name:
    "Arrival: behind a reload that ends TLS a client is told no, and goes on",
  ignore: !Authority.available,
  async fn() {
    await using authority = await Authority.create();
    const clients = await authority.issue();
    for (const first of ["SSLRequest", "ClientHello"]) {
      const tls = new TlsContexts({ ...NO_TLS, clients, version: "with" });
      const reactor = new EpollReactor();
      reactor.onError((error) => assert.fail(String(error)));
      const { fd, peer } = connectedPair("tcp");
      const told: string[] = [];
      const arrival = new Arrival(reactor, tls, fd, 0, 60_000, {
        onArrived: (_, { transport }) =>
          told.push(transport instanceof SocketTransport ? "clear" : "TLS"),
        onClosed: (_, reason) => told.push(`closed: ${reason}`),
      });
      tls.replace({ ...NO_TLS, version: "without" });
      if (first === "SSLRequest") {
        peer.send(concat([int32(8), int32(SSL_REQUEST)]));
        let answered = 0;
        turnUntil(reactor, () => (answered += peer.receive()) > 0, "an answer");
        assert.deepEqual([answered, told], [1, []]);
        peer.send(encodeStartupMessage([["user", "somebody"]]));
      } else peer.send(new Uint8Array([0x16, 3, 1]));
      turnUntil(reactor, () => told.length > 0, "its end");
      assert.deepEqual(
        told,
        first === "SSLRequest"
          ? ["clear"]
          : ["closed: there is no certificate"],
      );
      arrival.close(); // nothing, if its descriptor is ours now
      if (told[0] === "clear") closeDescriptor(fd);
      peer.close();
      reactor.turn(0);
      reactor.end();
    }
  },
});
