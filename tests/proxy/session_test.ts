import { ClientLimits } from "../../src/proxy/client_limits.ts";
import assert from "node:assert/strict";
import {
  accept,
  closeDescriptor,
  connect,
  Endpoint,
  EpollReactor,
  type Handler,
  listen,
  READ,
  receive,
  send,
  socketAddress,
  SocketTransport,
} from "../../src/io/mod.ts";
import { ProbeSet } from "../../src/plugin/probe_set.ts";
import { BufferPool } from "../../src/proxy/buffer_pool.ts";
import type { ProxyContext } from "../../src/proxy/context.ts";
import { Session } from "../../src/proxy/session.ts";
import { createRing, RingProducer } from "../../src/record/mod.ts";
import {
  ConnectionTable,
  createConnectionTable,
} from "../../src/stats/connection_table.ts";
import { TlsContexts } from "../../src/tls/mod.ts";
import { encodeStartupMessage } from "../../src/wire/mod.ts";
import { NO_LIMITS, openDoor } from "../support/no_limits.ts";
import { NO_TLS } from "../support/no_tls.ts";
import { freePort } from "../support/proxy.ts";
import { concat, int32, message, query } from "../support/wire_client.ts";

const READY = message("Z", "I");
const REPLY = concat([message("C", "SELECT 1\0"), READY]);

/** A session on this thread, between a client and a primary that are sockets of the same loop. */
class Bench {
  readonly reactor = new EpollReactor();
  readonly faults: string[] = [];
  /** Bytes that the client has read. */
  received = 0;
  /** Them, each as a character. */
  text = "";
  session: Session | undefined;
  /** What the primary answers to whatever it is asked. */
  reply = REPLY;
  /** How often it was. */
  asked = 0;
  clientEnded = false;
  readonly #scratch = new Uint8Array(4096);
  readonly #primary = freePort();
  readonly #client: number;
  #primaryFd = -1;

  constructor(overrides: Partial<ProxyContext>) {
    const listener = this.#listen(this.#primary, (fd) => {
      let loggedIn = false;
      this.#primaryFd = fd;
      this.#read(fd, () => {
        this.asked++;
        const reply = loggedIn
          ? this.reply
          : concat([message("R", int32(0)), READY]);
        loggedIn = true;
        send(fd, reply, reply.length);
      });
    });
    const port = freePort();
    const front = this.#listen(port, (fd) => {
      const row = clients.open("", 0, 0);
      this.session = new Session(context, fd, row, new SocketTransport(fd));
    });
    const clients = new ConnectionTable(createConnectionTable(4));
    const context: ProxyContext = {
      reactor: this.reactor,
      scratch: new Uint8Array(4096),
      pool: new BufferPool(256, 4096),
      probes: new ProbeSet([], () => {}),
      ring: new RingProducer(createRing(65_536)),
      clients,
      allClients: [clients],
      auth: undefined,
      door: openDoor(clients),
      limits: new ClientLimits(NO_LIMITS, [clients]),
      tls: new TlsContexts(NO_TLS),
      settings: {
        routes: [{
          name: "db",
          label: "primary",
          host: "127.0.0.1",
          port: this.#primary,
          address: socketAddress("127.0.0.1", this.#primary),
          databaseName: "db",
          mirrors: [{ name: "mirror", id: 1 }],
          admin: false,
          tls: undefined,
          current: true,
        }],
        limits: NO_LIMITS,
        maxDescriptors: Infinity,
        auth: undefined,
        tls: NO_TLS,
        tlsClientRequired: false,
        connectTimeoutMs: 5_000,
        loginTimeoutMs: 5_000,
        maxTransactionBytes: 1_000,
        compare: "off",
        compareBytes: 0,
        spillBytes: 0,
      },
      series: () => 0,
      nextStream: () => 1,
      onVersion() {},
      onUnreachable() {},
      onFault: (outcome) => this.faults.push(outcome),
      onClosed() {},
      closeLater() {},
      ...overrides,
    };
    this.reactor.onError((_error, handler) => {
      this.faults.push("handler");
      if (handler instanceof Endpoint) handler.fault();
    });
    this.#client = connect(socketAddress("127.0.0.1", port));
    this.#read(this.#client, (count) => {
      this.received += count;
      this.text += String.fromCharCode(...this.#scratch.subarray(0, count));
      this.clientEnded ||= count === 0;
    });
    // Only a fault lasts so long.
    this.reactor.after(5_000, () => this.reactor.stop());
    this.#listeners = [listener, front];
  }

  readonly #listeners: readonly number[];

  send(bytes: Uint8Array<ArrayBuffer>): void {
    send(this.#client, bytes, bytes.length);
  }

  /** Has the primary say something unasked. */
  say(bytes: Uint8Array<ArrayBuffer>): void {
    send(this.#primaryFd, bytes, bytes.length);
  }

  /** Runs the loop until `done`. */
  run(done: () => boolean): void {
    this.reactor.onTurnEnd(() => {
      if (done()) this.reactor.stop();
    });
    this.reactor.run();
    for (const fd of [...this.#listeners, this.#client]) closeDescriptor(fd);
  }

  #listen(port: number, onFd: (fd: number) => void): number {
    const listener = listen(socketAddress("127.0.0.1", port));
    this.reactor.add(
      listener,
      handler(() => {
        const fd = accept(listener, new Uint8Array(128));
        if (fd >= 0) onFd(fd);
      }),
      READ,
    );
    return listener;
  }

  #read(fd: number, onBytes: (count: number) => void): void {
    this.reactor.add(
      fd,
      handler(() => {
        const count = receive(fd, this.#scratch, this.#scratch.length);
        if (count <= 0) this.reactor.detach(fd);
        onBytes(Math.max(0, count));
      }),
      READ,
    );
  }
}

function handler(onReadable: () => void): Handler {
  return { onReadable, onWritable() {}, onHangup: onReadable };
}

const STARTUP = encodeStartupMessage([["user", "u"], ["database", "db"]]);

Deno.test("Session: one that throws is closed, its client reads the end", () => {
  const bench = new Bench({
    series() {
      throw new Error("planted");
    },
  });
  bench.reactor.after(20, () => bench.send(STARTUP));
  bench.run(() => bench.clientEnded);
  assert.ok(bench.clientEnded, "the client hangs");
  assert.deepEqual(bench.faults, ["handler"]);
});

Deno.test("Session: a tap that throws mirrors no more, and the client goes on", () => {
  const ring = new RingProducer(createRing(65_536));
  ring.reserve = () => {
    throw new Error("planted");
  };
  const bench = new Bench({ ring });
  const login = 9 + READY.length;
  let sent = 0;
  bench.reactor.after(20, () => bench.send(STARTUP));
  bench.run(() => {
    if (bench.received < login + sent * REPLY.length) return bench.clientEnded;
    if (sent === 3) return true;
    sent++;
    bench.send(query("select 1"));
    return false;
  });
  assert.equal(bench.received, login + 3 * REPLY.length);
  assert.deepEqual(bench.faults, ["A session is not mirrored any more"]);
});

Deno.test("Session: a drain's last words stand behind a message that came with ReadyForQuery, not in it", () => {
  const asynchronous = [
    message("A", int32(1), "channel\0payload\0"),
    message("N", "SNOTICE\0Mhello\0\0"),
    message("S", "TimeZone\0UTC\0"),
  ];
  for (const unasked of asynchronous) {
    const bench = new Bench({});
    const login = 9 + READY.length;
    const half = unasked.slice(0, 8);
    bench.reply = concat([REPLY, half]);
    bench.reactor.after(20, () => bench.send(STARTUP));
    const steps = [
      () => bench.received >= login && bench.send(query("select 1")),
      () => bench.asked === 2 && bench.session?.drain(),
      () =>
        bench.received >= login + REPLY.length + half.length &&
        bench.say(unasked.slice(8)),
    ];
    bench.run(() => {
      if (steps[0]?.() !== false) steps.shift();
      return bench.clientEnded;
    });
    const whole = String.fromCharCode(...concat([REPLY, unasked]));
    const [, words = ""] = bench.text.split(whole);
    assert.match(words, /^E.*57P01/s, JSON.stringify(bench.text));
  }
});
