import assert from "node:assert/strict";
import {
  accept,
  closeDescriptor,
  connect,
  Endpoint,
  EpollReactor,
  listen,
  NOT_NOW,
  socketAddress,
} from "../../src/io/mod.ts";
import { TlsContexts, type TlsTransport } from "../../src/tls/mod.ts";
import { Authority } from "../support/certificates.ts";
import { KeyUpdatePeer } from "../support/key_update_peer.ts";
import { NO_TLS } from "../support/no_tls.ts";
import { freePort } from "../support/proxy.ts";
import { turnUntil } from "../support/socket_peers.ts";

const BYTE = new Uint8Array([7]);
const MANY = 500;

interface Ends {
  readonly fd: number;
  readonly transport: TlsTransport;
  readonly peer: KeyUpdatePeer;
}

/** A connection behind its handshake. */
async function connected(): Promise<Ends> {
  await using authority = await Authority.create();
  const clients = await authority.issue();
  const contexts = new TlsContexts({ ...NO_TLS, clients });
  const address = socketAddress("127.0.0.1", freePort());
  const listener = listen(address);
  const peer = new KeyUpdatePeer(connect(address));
  let fd = -1;
  while (fd < 0) fd = accept(listener, new Uint8Array(128));
  closeDescriptor(listener);
  const { transport } = contexts.toClient(fd);
  contexts.close();
  let ours = NOT_NOW;
  for (let theirs = false; !theirs || ours === NOT_NOW;) {
    theirs ||= peer.shake();
    if (ours === NOT_NOW) ours = transport.shake();
  }
  return { fd, transport, peer };
}

const OPTIONS = { ignore: !Authority.available };

Deno.test({
  name: "TlsTransport: a flood of KeyUpdates does not hold up one read",
  ...OPTIONS,
  async fn() {
    const { fd, transport, peer } = await connected();
    for (let i = 0; i < MANY; i++) assert.ok(peer.updateKeys());
    assert.ok(peer.send(BYTE));
    const buffer = new Uint8Array(100);
    let reads = 1;
    while (transport.read(buffer, buffer.length) === NOT_NOW) reads++;
    assert.ok(reads >= MANY, `${reads} reads`);
    assert.equal(buffer[0], 7);
    transport.free();
    closeDescriptor(fd);
    peer.close();
  },
});

Deno.test({
  name: "TlsTransport: one read takes few of many tiny records",
  ...OPTIONS,
  async fn() {
    const { fd, transport, peer } = await connected();
    for (let i = 0; i < MANY; i++) assert.ok(peer.send(BYTE));
    const buffer = new Uint8Array(MANY);
    const first = transport.read(buffer, MANY);
    assert.ok(first > 0 && first < MANY / 10, `${first} bytes`);
    let total = first;
    while (total < MANY) {
      total += Math.max(0, transport.read(buffer, MANY));
    }
    transport.free();
    closeDescriptor(fd);
    peer.close();
  },
});

Deno.test({
  name: "TlsTransport: bytes behind a KeyUpdate are read from a closed socket",
  ...OPTIONS,
  async fn() {
    const { fd, transport, peer } = await connected();
    const reactor = new EpollReactor();
    const told: string[] = [];
    const tell = (what: string) => () => void told.push(what);
    const endpoint = new Endpoint(
      reactor,
      {
        onBytes: (_, length) => told.push(`${length} bytes`),
        onEnd: (endpoint) => {
          told.push("end");
          endpoint.close();
        },
        onDeaf: tell("deaf"),
        onDead: tell("dead"),
        onDrained: tell("drained"),
        onFault: tell("fault"),
      },
      new Uint8Array(100),
      fd,
      transport,
      false,
    );
    endpoint.pause();
    endpoint.shutdown();
    while (!peer.receive());
    assert.ok(peer.updateKeys());
    assert.ok(peer.send(BYTE));
    peer.end();
    reactor.turn(10);
    endpoint.resume();
    turnUntil(
      reactor,
      () => endpoint.ended || told.includes("dead"),
      "the end",
    );
    assert.deepEqual(told, ["1 bytes", "end"]);
    endpoint.close(); // if not yet
    reactor.turn(0);
    reactor.end();
    peer.close();
  },
});
