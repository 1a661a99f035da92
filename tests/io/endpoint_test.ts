import assert from "node:assert/strict";
import {
  connect,
  Endpoint,
  type EndpointOwner,
  EpollReactor,
  socketAddress,
  SocketTransport,
} from "../../src/io/mod.ts";
import { Authority, type Certificate } from "../support/certificates.ts";
import { freePort } from "../support/proxy.ts";
import {
  connectedPair,
  type Kind,
  KINDS,
  type Peer,
  turnUntil,
} from "../support/socket_peers.ts";

const SOME = new Uint8Array(1_000).fill(7);
/** More than any socket takes at once. */
const MUCH = new Uint8Array(16 * 1024 * 1024).fill(7);
/** Small, so that a result takes many reads, and bytes of a record are left inside of TLS. */
const SCRATCH_BYTES = 5_000;
const RECORD = new Uint8Array(16_000).fill(7);

/** An endpoint, its peer, and what its owner was told. */
class Bench implements EndpointOwner {
  readonly told: string[] = [];
  received = 0;
  /** Calls of the reactor: one that spins has many. */
  calls = 0;
  isFreed = false;
  readonly reactor = new EpollReactor();
  readonly endpoint: Endpoint;
  readonly peer: Peer;

  constructor(kind: Kind, certificate: Certificate) {
    const { fd, transport, peer } = connectedPair(kind, certificate);
    this.peer = peer;
    const free = transport.free;
    transport.free = () => {
      this.isFreed = true;
      free.call(transport);
    };
    const scratch = new Uint8Array(SCRATCH_BYTES);
    this.endpoint = new Endpoint(
      this.reactor,
      this,
      scratch,
      fd,
      transport,
      false,
    );
    for (const name of ["onReadable", "onWritable", "onHangup"] as const) {
      const original = this.endpoint[name];
      this.endpoint[name] = (flag = false) => {
        this.calls++;
        original.call(this.endpoint, flag as boolean);
        this.endpoint.check();
      };
    }
  }

  /** Pauses at the first bytes. */
  hesitates = false;

  onBytes(endpoint: Endpoint, length: number): void {
    if (this.hesitates) endpoint.pause();
    if (this.told.at(-1) !== "bytes") this.told.push("bytes");
    this.received += length;
  }
  onEnd(): void {
    this.told.push("end");
  }
  onDeaf(): void {
    this.told.push("deaf");
  }
  onDead(): void {
    this.told.push("dead");
    this.endpoint.close();
  }
  onDrained(): void {
    this.told.push("drained");
  }
  onFault(): void {
    this.told.push("fault");
  }

  until(told: string): void {
    turnUntil(this.reactor, () => this.told.at(-1) === told, told);
  }

  /** Nothing happens, and the loop sleeps. */
  rests(): void {
    const [before, calls] = [this.told.length, this.calls];
    for (let i = 0; i < 20; i++) this.reactor.turn(2);
    assert.equal(this.told.length, before, `told ${this.told}`);
    assert.ok(this.calls - calls <= 1, `${this.calls - calls} calls: it spins`);
  }

  close(): void {
    this.endpoint.close();
    this.reactor.turn(0);
    this.reactor.end();
  }
}

/** Has the peer go with something unread: all sockets tell of that as of a reset. */
function resetUnread({ endpoint, peer }: Bench): void {
  if (endpoint.pending === 0) endpoint.write(SOME, SOME.length);
  peer.reset();
}

/** What an event does in each state, as the table above `Endpoint` has it. */
const CELLS: Readonly<Record<string, (bench: Bench, kind: Kind) => void>> = {
  "reading: bytes, then the end": (bench) => {
    bench.peer.send(SOME);
    bench.until("bytes");
    assert.equal(bench.received, SOME.length);
    bench.peer.end();
    bench.until("end");
    assert.ok(bench.endpoint.ended);
    bench.rests();
    bench.peer.close();
  },
  "reading: a reset is told once, behind the bytes before it": (bench) => {
    bench.endpoint.pause();
    bench.peer.send(SOME);
    bench.endpoint.write(SOME, SOME.length);
    bench.endpoint.resume();
    bench.peer.reset();
    turnUntil(
      bench.reactor,
      () => bench.told.includes("dead") || bench.told.includes("end"),
      "the end",
    );
    assert.equal(bench.received, SOME.length);
  },
  "reading: much is read in turns, all of it": (bench) => {
    let sent = 0;
    turnUntil(bench.reactor, () => {
      sent += bench.peer.send(MUCH.subarray(sent));
      return bench.received === MUCH.length;
    }, "all bytes");
    bench.rests();
    bench.peer.close();
  },
  "paused in the middle of a record: the rest is read at resume, without an event":
    (bench) => {
      bench.hesitates = true;
      bench.peer.send(RECORD);
      bench.until("bytes");
      bench.rests();
      assert.equal(bench.received, SCRATCH_BYTES);
      bench.hesitates = false;
      bench.endpoint.resume();
      turnUntil(
        bench.reactor,
        () => bench.received === RECORD.length,
        "the rest",
      );
      bench.peer.close();
    },
  "paused, pending: goes on when the peer reads, tells when all is sent": (
    bench,
  ) => {
    assert.equal(bench.endpoint.write(MUCH, MUCH.length), false);
    bench.endpoint.pause();
    let read = 0;
    bench.rests();
    turnUntil(bench.reactor, () => {
      read += Math.max(0, bench.peer.receive());
      return bench.told.includes("drained") && read === MUCH.length;
    }, "the peer to have all");
    assert.equal(bench.endpoint.pending, 0);
    bench.peer.close();
  },
  "paused, pending: a reset makes it deaf, and what came before can be read": (
    bench,
  ) => {
    bench.peer.send(SOME);
    bench.endpoint.pause();
    assert.equal(bench.endpoint.write(MUCH, MUCH.length), false);
    bench.peer.reset();
    bench.until("deaf");
    assert.equal(bench.endpoint.pending, 0, "bytes are kept for nobody");
    bench.rests();
    assert.equal(bench.endpoint.write(SOME, SOME.length), true);
    bench.endpoint.resume();
    turnUntil(
      bench.reactor,
      () => bench.told.includes("end") || bench.told.includes("dead"),
      "the end",
    );
    assert.equal(bench.received, SOME.length);
  },
  "paused, at rest: a reset makes it deaf": (bench) => {
    bench.endpoint.pause();
    resetUnread(bench);
    bench.until("deaf");
    bench.rests();
  },
  "paused, at rest: an orderly end waits to be read": (bench) => {
    bench.endpoint.pause();
    bench.peer.send(SOME);
    bench.peer.close();
    bench.rests();
    bench.endpoint.resume();
    bench.until("end");
    assert.equal(bench.received, SOME.length);
  },
  "paused behind an orderly end: what it does not take makes it deaf": (
    bench,
  ) => {
    bench.endpoint.pause();
    bench.peer.close();
    bench.rests();
    // TCP takes the first: only its answer, a reset, tells that nobody is there.
    for (let i = 0; i < 3 && !bench.told.includes("deaf"); i++) {
      bench.endpoint.write(SOME, SOME.length);
      for (let j = 0; j < 5; j++) bench.reactor.turn(2);
    }
    assert.deepEqual(bench.told, ["deaf"]);
    bench.rests();
  },
  "closed: nothing is held, and closing again is nothing": (bench) => {
    assert.equal(bench.endpoint.write(MUCH, MUCH.length), false);
    bench.endpoint.close();
    bench.endpoint.close();
    bench.endpoint.check();
    assert.ok(bench.isFreed, "the transport is not freed");
    bench.peer.close();
  },
  "ended: a reset is its death": (bench) => {
    bench.peer.end();
    bench.until("end");
    resetUnread(bench);
    bench.until("dead");
  },
  "ended, half-closed by us: it rests until the peer goes": (bench) => {
    bench.peer.end();
    bench.until("end");
    bench.endpoint.shutdown();
    turnUntil(bench.reactor, () => bench.peer.receive() === -1, "its end");
    bench.peer.close();
    bench.until("dead");
  },
};

Deno.test({
  name: "Endpoint: every event in every state, on each kind of socket",
  ignore: !Authority.available,
  async fn(t) {
    await using authority = await Authority.create();
    const certificate = await authority.issue();
    for (const [cell, run] of Object.entries(CELLS)) {
      for (const kind of KINDS) {
        await t.step(`${kind}: ${cell}`, () => {
          const bench = new Bench(kind, certificate);
          try {
            run(bench, kind);
          } finally {
            bench.close();
          }
        });
      }
    }
  },
});

Deno.test("Endpoint: a connect that fails is told as one that ended", () => {
  const refused = socketAddress("127.0.0.1", freePort());
  const missing = socketAddress("/nonexistent", 1);
  for (const address of [refused, missing]) {
    const reactor = new EpollReactor();
    let drained = 0;
    const fd = connect(address);
    const never = () => assert.fail("told of something else");
    new Endpoint(
      reactor,
      {
        ...{ onBytes: never, onEnd: never, onDeaf: never },
        ...{ onDead: never, onFault: never },
        onDrained: (endpoint) => {
          drained++;
          endpoint.close();
        },
      },
      new Uint8Array(16),
      fd,
      new SocketTransport(fd),
      true,
    );
    turnUntil(reactor, () => drained > 0, "the connect's end");
    assert.equal(drained, 1);
    reactor.end();
  }
});
