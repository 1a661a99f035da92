import { StateWatch } from "../../src/sql/mod.ts";
import assert from "node:assert/strict";
import {
  BOUNDS,
  checkRing,
  createRing,
  CYCLE_LATENCY,
  CYCLE_QUEUED,
  CYCLE_WORDS,
  cycleStart,
  RECORD_FRAGMENT,
  RECORD_KIND_MASK,
  RingConsumer,
  type RingMemory,
  RingProducer,
  STATEMENT_COMPLETE,
  STATEMENT_SENT,
  STATEMENT_WORDS,
} from "../../src/record/mod.ts";
import { QueueBudget } from "../../src/record/mod.ts";
import { Stream } from "../../src/record/stream.ts";
import type { Transaction } from "../../src/record/transaction.ts";
import type { Probe } from "../../src/plugin/api.ts";
import { ProbeSet } from "../../src/plugin/probe_set.ts";
import { BufferPool } from "../../src/proxy/buffer_pool.ts";
import { Capture } from "../../src/proxy/capture.ts";
import { Cycles } from "../../src/proxy/cycles.ts";
import { Tap } from "../../src/proxy/tap.ts";
import { ShapeCache } from "../../src/sql/shape_cache.ts";
import { Excluded } from "../../src/stats/ledger.ts";
import { DROPPED, EXCLUDED } from "../../src/stats/mod.ts";
import { TappedSession } from "../support/tapped_session.ts";
import {
  concat,
  extended,
  message,
  query,
  sync,
} from "../support/wire_client.ts";

const READY = message("Z", "I");
const IN_BLOCK = message("Z", "T");
const DONE = message("C", "SELECT 1\0");

interface Options {
  readonly maxBytes?: number;
  readonly ringBytes?: number;
  /** Bound of what waits outside of the ring. */
  readonly spillBytes?: number;
  /** Sent before the login has ended. */
  readonly early?: Uint8Array;
  readonly queueBytes?: number;
}

/** A tap that writes into a real ring, and the mirror worker's end of it. */
class Bench {
  readonly counts: Record<string, number> = {};
  readonly transactions: string[] = [];
  /** Start, latency, and the part of it that was spent in the pipeline, of each cycle. */
  readonly times: number[][] = [];
  /** When each statement was sent and complete. */
  readonly statements: number[][] = [];
  /** Seconds, as the histogram gets them. */
  readonly latencies: number[] = [];
  readonly discarded: string[] = [];
  stateLost = 0;
  readonly tap: Tap;
  readonly capture: Capture;
  readonly ring: RingProducer;
  readonly #memory: RingMemory;
  readonly #consumer: RingConsumer;
  readonly #stream: Stream;
  readonly budget: QueueBudget;

  constructor(options: Options = {}) {
    this.budget = new QueueBudget(options.queueBytes ?? 10_000_000);
    const memory = createRing(options.ringBytes ?? 1024 * 1024);
    this.#memory = memory;
    this.#consumer = new RingConsumer(memory);
    this.ring = new RingProducer(memory, options.spillBytes);
    this.capture = new Capture(
      this.ring,
      new BufferPool(256, 16_384),
      7,
      "",
      { targets: [0], mode: "rows", compareBytes: 1_000 },
    );
    const count = (name: string) => {
      this.counts[name] = (this.counts[name] ?? 0) + 1;
    };
    const probe: Probe = {
      primaryStatement: (_series, seconds) => this.latencies.push(seconds),
      requestSeen: () => count("seen"),
      requestExcluded: (_series, reason) => count(`${EXCLUDED[reason]}`),
      requestDropped: (_series, reason) => count(`${DROPPED[reason]}`),
    };
    this.tap = new Tap(
      new ProbeSet([{ module: "test", probe }], (_m, error) => {
        throw error;
      }),
    );
    this.#stream = new Stream(
      {
        onTransaction: (t) => {
          count("pushed");
          this.transactions.push(text(t));
          for (let at = 0; at < t.cycles.length; at += CYCLE_WORDS) {
            this.times.push([
              cycleStart(t.cycles, at),
              t.cycles[at + CYCLE_LATENCY] ?? -1,
              t.cycles[at + CYCLE_QUEUED] ?? -1,
            ]);
          }
          for (let at = 0; at < t.statements.length; at += STATEMENT_WORDS) {
            this.statements.push([
              t.statements[at + STATEMENT_SENT] ?? -1,
              t.statements[at + STATEMENT_COMPLETE] ?? -1,
            ]);
          }
        },
        onDiscarded: (t) => this.discarded.push(text(t)),
        onStateLost: () => this.stateLost++,
        createLooker: () => new StateWatch(),
        onShed: () => count("queue_full"),
      },
      this.budget,
      { mode: "rows", bytes: 1_000 },
    );
    const { early } = options;
    if (early !== undefined) this.client(early, 3);
    const target = {
      series: [0],
      excluded: -1,
      maxTransactionBytes: options.maxBytes ?? 1_000_000,
    };
    this.tap.attach(target, this.capture, 0);
    this.server(READY);
  }

  client(bytes: Uint8Array, size = bytes.length, nowUs = 1): void {
    for (let at = 0; at < bytes.length; at += size) {
      const chunk = bytes.slice(at, at + size);
      this.tap.client(chunk, chunk.length, nowUs);
      this.#check();
    }
  }

  server(bytes: Uint8Array, size = bytes.length, nowUs = 2): void {
    for (let at = 0; at < bytes.length; at += size) {
      const chunk = bytes.slice(at, at + size);
      this.tap.server(chunk, chunk.length, nowUs);
      this.#check();
    }
  }

  /** What the mirror worker does with the ring. */
  drain(): void {
    for (let at = this.#consumer.next(); at >= 0; at = this.#consumer.next()) {
      const kind = (this.#consumer.words[at >> 2] as number) & RECORD_KIND_MASK;
      if (kind === RECORD_FRAGMENT) this.#stream.fragment(this.#consumer, at);
      this.#consumer.release();
      this.#stream.check();
      this.#check();
    }
  }

  /** The rules that stand above the classes hold at every step. */
  #check(): void {
    this.capture.check();
    checkRing(this.#memory);
  }

  /** seen = excluded + dropped + pushed */
  assertClosed(): void {
    const { seen = 0, ...outcomes } = this.counts;
    const sum = Object.values(outcomes).reduce((total, n) => total + n, 0);
    assert.equal(seen, sum, JSON.stringify(this.counts));
  }
}

/** The types of a transaction's messages, `|` behind each cycle. */
function text({ bytes, cycles }: Transaction): string {
  let result = "";
  let at = 0;
  for (let i = 0; i < cycles.length; i += CYCLE_WORDS) {
    const end = at + (cycles[i] as number);
    while (at < end) {
      result += String.fromCharCode(bytes[at] as number);
      at += 1 + new DataView(bytes.buffer, bytes.byteOffset).getInt32(at + 1);
    }
    assert.equal(at, end, "a cycle ends between two messages");
    result += "|";
  }
  assert.equal(at, bytes.length);
  return result;
}

Deno.test("Tap: a transaction is its cycles, however the bytes are cut", () => {
  for (const size of [1, 2, 3, 5, 1_000]) {
    const bench = new Bench();
    bench.client(query("begin"), size);
    bench.server(concat([DONE, IN_BLOCK]), size);
    bench.client(query("select 1"), size);
    bench.server(concat([DONE, IN_BLOCK]), size);
    bench.client(query("commit"), size);
    bench.server(concat([DONE, READY]), size);
    bench.drain();
    assert.deepEqual(bench.transactions, ["Q|Q|Q|"], `chunks of ${size}`);
    bench.assertClosed();
  }
});

Deno.test("Tap: 100 Syncs ahead of their answers are 100 transactions", () => {
  for (const size of [1, 7, 10_000]) {
    const bench = new Bench();
    const one = concat([extended("select 1"), sync()]);
    bench.client(concat(Array.from({ length: 100 }, () => one)), size);
    bench.server(
      concat(Array.from({ length: 100 }, () => concat([DONE, READY]))),
      size,
    );
    bench.drain();
    assert.deepEqual(bench.transactions, new Array(100).fill("PBES|"));
    bench.assertClosed();
  }
});

Deno.test("Tap: a cycle that waits behind others in a pipeline is not slow by that", () => {
  const bench = new Bench();
  const one = concat([extended("select 1"), sync()]);
  bench.client(concat([one, one, one]), 10_000, 1_000);
  const reply = concat([DONE, READY]);
  bench.server(reply, 100, 1_500);
  bench.server(reply, 100, 2_100);
  bench.client(one, 100, 2_400);
  bench.server(reply, 100, 3_000);
  bench.server(reply, 100, 3_100);
  bench.client(one, 100, 9_000);
  bench.server(reply, 100, 9_100);
  bench.drain();
  assert.deepEqual(bench.times, [
    [0, 500, 0],
    [0, 1_100, 500],
    [0, 2_000, 1_100],
    [0, 700, 600],
    [0, 100, 0],
  ]);
  const served = bench.latencies.map((seconds) => Math.round(seconds * 1e6));
  assert.deepEqual(served, [500, 600, 900, 100, 100]);
});

Deno.test("Tap: a cycle that is answered before its Sync begins with its first byte, its statements when they were sent", () => {
  const bench = new Bench();
  const one = extended("select 1");
  bench.client(one, 7, 10);
  bench.server(DONE, 3, 30);
  bench.client(one, one.length, 1_000);
  bench.server(DONE, DONE.length, 1_020);
  bench.client(concat([one, sync()]), 1_000, 2_000);
  bench.server(concat([DONE, READY]), 5, 2_050);
  bench.client(query("select 1"), 1_000, 3_000);
  bench.server(concat([DONE, READY]), 5, 3_007);
  bench.drain();
  assert.deepEqual(bench.transactions, ["PBEPBEPBES|", "Q|"]);
  assert.deepEqual(bench.times, [[0, 2_040, 0], [0, 7, 0]]);
  assert.deepEqual(bench.statements, [
    [0, 20],
    [990, 1_010],
    [1_990, 2_040],
    [0, 7],
  ]);
  assert.deepEqual(bench.latencies, [50 / 1e6, 7 / 1e6]);
});

Deno.test("Tap: what is answered ahead of its Sync behind others of a pipeline was sent with them", () => {
  const bench = new Bench();
  bench.client(concat([query("select 1"), extended("select 2")]), 1_000, 10);
  bench.server(concat([DONE, READY, DONE]), 1_000, 40);
  bench.client(sync(), 5, 90);
  bench.server(READY, 6, 95);
  bench.drain();
  assert.deepEqual(bench.times, [[0, 30, 0], [0, 85, 30]]);
  assert.deepEqual(bench.statements, [[0, 30], [0, 30]]);
});

Deno.test("Tap: a copy whose Sync is swallowed in the chunk of its failure began with its data", () => {
  const bench = new Bench();
  const early = concat([extended("copy t from stdin"), sync()]);
  bench.client(early, 1_000, 10);
  bench.client(concat([DATA, sync()]), 1_000, 50);
  bench.server(
    concat([message("1", ""), message("2", ""), G, FAILED, READY]),
    1_000,
    100,
  );
  bench.drain();
  assert.deepEqual(bench.statements, [[0, 50]]);
});

Deno.test("Tap: times of a transaction that lasts for days are right", () => {
  const HOUR = 3_600e6;
  const bench = new Bench();
  bench.client(query("begin"), 100, 0);
  bench.server(concat([DONE, IN_BLOCK]), 100, 10);
  bench.client(query("select 1"), 100, 50 * HOUR);
  bench.server(concat([DONE, IN_BLOCK]), 100, 53 * HOUR);
  bench.client(query("commit"), 100, 54 * HOUR);
  bench.server(concat([DONE, READY]), 100, 54 * HOUR + 7);
  bench.drain();
  assert.deepEqual(bench.times, [
    [0, 10, 0],
    [50 * HOUR, 2 ** 32 - 1, 0],
    [54 * HOUR, 7, 0],
  ]);
});

const G = message("G", "\0\0\0");
const DATA = message("d", "1\n");
const END = message("c");
const PARSED = message("1");
/** Parse and Bind are complete, Execute asks for copy data. */
const ASKS = concat([PARSED, message("2"), G]);

Deno.test("Tap: the data of a COPY belong to its Query, whether the server asked before or after", () => {
  for (const early of [true, false]) {
    const bench = new Bench();
    bench.client(query("copy t from stdin"));
    if (early) bench.server(G);
    bench.client(concat([DATA, DATA, END]));
    if (!early) bench.server(G);
    bench.client(query("select 1"));
    bench.server(concat([DONE, READY, DONE, READY]));
    bench.drain();
    assert.deepEqual(bench.transactions, ["Qddc|", "Q|"]);
    bench.assertClosed();
  }
});

Deno.test("Tap: a Sync that copy-in swallows ends nothing, whenever it comes", () => {
  const execute = extended("copy t from stdin");
  const done = concat([DONE, READY]);
  const orders: (readonly [client: Uint8Array, server: Uint8Array])[][] = [
    // The server asks before the Sync, between Sync and data, and behind all.
    [[execute, ASKS], [concat([sync(), DATA, END, sync()]), done]],
    [[concat([execute, sync()]), ASKS], [concat([DATA, END, sync()]), done]],
    [[concat([execute, sync(), DATA, END, sync()]), concat([ASKS, done])]],
  ];
  for (const order of orders) {
    const bench = new Bench();
    for (const [client, server] of order) {
      bench.client(client);
      bench.server(server);
    }
    bench.client(query("select 1"));
    bench.server(concat([DONE, READY]));
    bench.drain();
    assert.deepEqual(bench.transactions, ["PBESdcS|", "Q|"]);
    bench.assertClosed();
  }
});

const FAILED = message("E", "SERROR\0C42601\0\0");

Deno.test("Tap: a Sync that a failed copy-in has not swallowed is told by its ReadyForQuery", () => {
  const begun = concat([extended("copy view from stdin"), sync()]);
  const rest = concat([DATA, END, sync()]);
  const next = concat([sync(), query("select 1")]);
  const failed = concat([ASKS, FAILED]);
  const orders: [Uint8Array, Uint8Array][][] = [
    // Not swallowed: the rest of the copy comes behind its answer …
    [[begun, concat([failed, READY])], [concat([rest, next]), READY]],
    // … or before, and all at once.
    [[begun, failed], [concat([rest, next]), concat([READY, READY])]],
    [[concat([begun, rest, next]), concat([failed, READY, READY])]],
    // Swallowed.
    [[begun, failed], [concat([rest, next]), READY]],
    [[concat([begun, rest, next]), concat([failed, READY])]],
  ];
  const apart = ["PBES|", "dcS|", "S|", "Q|"];
  const whole = ["PBESdcS|", "S|", "Q|"];
  // Its bytes stand in the copy's cycle.
  const without = ["PBESdcS|", "S|", "|", "Q|"];
  [apart, without, without, whole, whole].forEach((expected, i) => {
    const bench = new Bench();
    for (const [client, server] of orders[i] ?? []) {
      bench.client(client);
      bench.server(server);
    }
    bench.server(concat([READY, DONE, READY]));
    bench.drain();
    assert.deepEqual(bench.transactions, expected, `order ${i}`);
    assert.deepEqual(
      bench.times.map(([start]) => start),
      expected.map(() => 0),
    );
    bench.client(query("select 2"));
    bench.server(concat([DONE, READY]));
    bench.drain();
    assert.equal(bench.transactions.at(-1), "Q|", `order ${i}`);
    bench.assertClosed();
  });
});

Deno.test("Tap: a Sync in the data of a Query's COPY ends nothing, whenever it comes", () => {
  const copy = query("copy t from stdin");
  const next = query("select 1");
  const orders: [Uint8Array, Uint8Array][][] = [
    [[copy, G], [concat([sync(), DATA, END, next]), DONE]],
    [[concat([copy, sync()]), G], [concat([DATA, END, next]), DONE]],
    [[concat([copy, sync(), DATA, END, next]), concat([G, DONE])]],
  ];
  for (const order of orders) {
    const bench = new Bench();
    for (const [client, server] of order) {
      bench.client(client);
      bench.server(server);
    }
    bench.server(concat([READY, DONE, READY]));
    assert.ok(!bench.tap.busy);
    bench.drain();
    assert.deepEqual(bench.transactions, ["QSdc|", "Q|"]);
    bench.assertClosed();
  }
});

Deno.test("Tap: what follows CopyFail is skipped to the next Sync, the one before it was swallowed", () => {
  const canceled = message("E", "SERROR\0VERROR\0C57014\0\0");
  const begun = concat([extended("copy t from stdin"), sync()]);
  const rest = concat([message("f", "no\0"), query("select 1"), sync()]);
  const orders: [Uint8Array, Uint8Array][][] = [
    [[begun, ASKS], [rest, concat([canceled, READY])]],
    [[concat([begun, rest]), concat([ASKS, canceled, READY])]],
  ];
  for (const order of orders) {
    const bench = new Bench();
    for (const [client, server] of order) {
      bench.client(client);
      bench.server(server);
    }
    for (let i = 0; i < 10; i++) {
      bench.client(query("select 2"));
      bench.server(concat([DONE, READY]));
    }
    bench.drain();
    assert.deepEqual(bench.transactions, [
      "PBESfQS|",
      ...new Array<string>(10).fill("Q|"),
    ]);
    bench.assertClosed();
  }
});

Deno.test("Tap: a Sync that turns out not to be swallowed is a transaction with times, when nothing else is under way", () => {
  const bench = new Bench();
  bench.client(
    concat([extended("copy view from stdin"), sync(), DATA, END, sync()]),
    1_000,
    5_000,
  );
  bench.server(concat([ASKS, FAILED, READY]), 1_000, 5_040);
  bench.server(READY, 6, 5_050);
  bench.drain();
  assert.deepEqual(bench.transactions, ["PBESdcS|", "|"]);
  assert.deepEqual(bench.times, [[0, 40, 0], [0, 50, 40]]);
  bench.assertClosed();
});

Deno.test("Tap: the data of two COPYs belong to their Query, however early they come", () => {
  const copies = query("copy t from stdin; copy u from stdin");
  const data = concat([DATA, END]);
  const orders: [Uint8Array, Uint8Array][][] = [
    [[concat([copies, data, data]), concat([G, DONE, G])]],
    [[concat([copies, data]), concat([G, DONE, G])], [data, DONE]],
    [[copies, G], [concat([data, data]), concat([DONE, G])]],
    [[copies, G], [data, concat([DONE, G])], [data, DONE]],
  ];
  for (const order of orders) {
    const bench = new Bench();
    for (const [client, server] of order) {
      bench.client(client);
      bench.server(server);
    }
    bench.client(query("select 1"));
    bench.server(concat([DONE, READY, DONE, READY]));
    bench.drain();
    assert.deepEqual(bench.transactions, ["Qdcdc|", "Q|"]);
    bench.assertClosed();
  }
});

Deno.test("Tap: what the server skips up to a Sync ends no cycle, an error of the Query itself does", () => {
  const parse = message("P", "\0x\0", new Uint8Array(2));
  const flush = message("H");
  const one = query("select 1");
  // As PostgreSQL 15 answers them.
  const cases: [client: Uint8Array[], server: Uint8Array[], string[]][] = [
    [[parse, one, sync()], [FAILED, READY], ["PQS|"]],
    [[parse, one, sync()], [PARSED, FAILED, READY, READY], ["PQ|", "S|"]],
    [[parse, one, sync()], [PARSED, DONE, READY, READY], ["PQ|", "S|"]],
    [[one, parse, one, one, sync(), sync()], [
      DONE,
      READY,
      FAILED,
      READY,
      READY,
    ], ["Q|", "PQQS|", "S|"]],
    [[flush, one, sync()], [FAILED, READY, READY], ["HQ|", "S|"]],
    [
      [extended("x"), one, sync()],
      [PARSED, message("2"), DONE, FAILED, READY, READY],
      ["PBEQ|", "S|"],
    ],
  ];
  for (const size of [1, 10_000]) {
    for (const [client, server, expected] of cases) {
      const bench = new Bench();
      bench.client(concat(client), size);
      bench.server(concat(server), size);
      bench.client(one);
      bench.server(concat([DONE, READY]));
      assert.ok(!bench.tap.busy);
      bench.drain();
      assert.deepEqual(bench.transactions, [...expected, "Q|"]);
      bench.assertClosed();
    }
  }
});

Deno.test("Tap: what comes after the error is skipped as well, until the Sync comes", () => {
  const bench = new Bench();
  bench.client(
    concat([message("P", "\0x\0", new Uint8Array(2)), message("H")]),
  );
  bench.server(FAILED);
  bench.client(query("select 1"));
  bench.client(sync());
  bench.server(READY);
  bench.client(query("select 2"));
  bench.server(concat([DONE, READY]));
  assert.ok(!bench.tap.busy);
  bench.drain();
  assert.deepEqual(bench.transactions, ["PHQS|", "Q|"]);
  bench.assertClosed();
});

Deno.test("Tap: CopyDone and CopyFail outside of a copy are no request", () => {
  const bench = new Bench();
  bench.client(query("copy t from stdin"));
  bench.server(G);
  bench.client(concat([DATA, END]));
  bench.server(concat([DONE, READY]));
  bench.client(message("f", "late\0"));
  assert.ok(!bench.tap.busy);
  bench.tap.end(4, 9);
  bench.drain();
  assert.deepEqual(bench.counts, { seen: 1, pushed: 1 });
});

Deno.test("Tap: a cancelled transaction is excluded, a refused copy is not", () => {
  const canceled = message("E", "SERROR\0VERROR\0C57014\0\0");
  const bench = new Bench();
  bench.client(query("select pg_sleep(9)"));
  bench.server(concat([canceled, READY]));
  bench.client(query("copy t from stdin"));
  bench.server(G);
  bench.client(message("f", "no\0"));
  bench.server(concat([canceled, READY]));
  bench.drain();
  assert.deepEqual(bench.counts, { seen: 2, cancelled: 1, pushed: 1 });
});

Deno.test("Tap: a transaction that commits in spite of a cancel is replayed without it", () => {
  const canceled = message("E", "SERROR\0VERROR\0C57014\0\0");
  const ok = (tag: string, status: Uint8Array) =>
    concat([message("C", `${tag}\0`), status]);
  const failed = message("Z", "E");
  const block = (bench: Bench, last: string, ...cycle: Uint8Array[]) => {
    bench.client(query("begin"));
    bench.server(ok("BEGIN", IN_BLOCK));
    bench.client(query("savepoint a"));
    bench.server(ok("SAVEPOINT", IN_BLOCK));
    bench.client(concat(cycle));
    bench.server(concat([canceled, failed]));
    bench.client(query("rollback to a"));
    bench.server(ok("ROLLBACK", IN_BLOCK));
    bench.client(query(last));
    bench.server(ok(last.toUpperCase(), READY));
  };
  const bench = new Bench();
  const named = message("P", "named\0select 1\0", new Uint8Array(2));
  block(bench, "commit", named, sync());
  block(bench, "rollback", query("select pg_sleep(9)"));
  bench.drain();
  assert.deepEqual(bench.transactions, ["Q|Q|Q|Q|"]);
  assert.deepEqual(bench.counts, { seen: 2, pushed: 1, cancelled: 1 });
  assert.deepEqual(bench.discarded, ["PS|", "Q|Q|Q|Q|Q|"]);
  assert.equal(bench.stateLost, 0);
  // Half of a cycle is committed: that can't be replayed, and is no exclusion.
  bench.client(query("update t set a = 1; commit; select pg_sleep(9)"));
  bench.server(
    concat([
      message("C", "UPDATE 1\0"),
      message("C", "COMMIT\0"),
      canceled,
      READY,
    ]),
  );
  bench.drain();
  assert.deepEqual(bench.counts, {
    seen: 3,
    pushed: 1,
    cancelled: 1,
    session_tainted: 1,
  });
  assert.equal(bench.stateLost, 1);
});

Deno.test("Tap: a refused copy is not a cancel, however early the client refuses", () => {
  const canceled = message("E", "SERROR\0VERROR\0C57014\0\0");
  const bench = new Bench();
  bench.client(concat([
    query("select 1"),
    extended("copy t from stdin"),
    message("f", "no\0"),
    sync(),
  ]));
  bench.server(concat([DONE, READY, ASKS, canceled, READY]));
  bench.drain();
  assert.deepEqual(bench.transactions, ["Q|", "PBEfS|"]);
  bench.assertClosed();
});

/** The client has gone in a block that began and then said `ready`; `after` is what it has sent since. */
function gone(reason: number, ready: Uint8Array, after?: Uint8Array): Bench {
  const bench = new Bench();
  bench.client(query("begin"));
  bench.server(concat([DONE, IN_BLOCK]));
  bench.client(query("insert"));
  bench.server(concat([DONE, ready]));
  if (after !== undefined) bench.client(after);
  bench.tap.end(reason, 9);
  bench.drain();
  bench.assertClosed();
  return bench;
}

Deno.test("Tap: a client that goes in a transaction has it rolled back: it is recorded", () => {
  const failed = message("Z", "E");
  const half = query("commit").subarray(0, 9);
  for (const ready of [IN_BLOCK, failed]) {
    for (const after of [undefined, message("X"), half]) {
      const bench = gone(Excluded.clientGone, ready, after);
      assert.deepEqual(bench.transactions, ["Q|Q|"]);
      assert.deepEqual(bench.counts, { seen: 1, pushed: 1 });
    }
  }
});

Deno.test("Tap: what is sent and not answered at the end is excluded, each cycle outside of a block", () => {
  const unanswered = [query("commit"), extended("commit")];
  for (const after of unanswered) {
    const bench = gone(Excluded.clientGone, IN_BLOCK, after);
    assert.deepEqual(bench.counts, { seen: 1, client_gone: 1 });
  }
  assert.deepEqual(gone(Excluded.primaryLost, IN_BLOCK).counts, {
    seen: 1,
    primary_lost: 1,
  });
  const ahead = new Bench();
  const one = concat([extended("select 1"), sync()]);
  ahead.client(concat([one, one, one, one]));
  ahead.server(concat([DONE, READY]));
  ahead.tap.end(Excluded.clientGone, 9);
  ahead.drain();
  assert.deepEqual(ahead.counts, { seen: 4, pushed: 1, client_gone: 3 });
});

Deno.test("Tap: a client that goes at rest is nothing", () => {
  const bench = new Bench();
  bench.client(query("select 1"));
  bench.server(concat([DONE, READY]));
  bench.client(message("X"));
  bench.tap.end(Excluded.clientGone, 9);
  bench.drain();
  assert.deepEqual(bench.counts, { seen: 1, pushed: 1 });
});

Deno.test("Tap: a reply that can't be cut is given up, in rows as elsewhere", () => {
  for (const type of ["D", "T", "C"]) {
    const bench = new Bench();
    bench.client(query("select 1"));
    const broken = message(type, "x");
    new DataView(broken.buffer).setInt32(1, 3);
    bench.server(concat([message("D", "x"), broken, DONE, READY]));
    assert.deepEqual(bench.counts, { seen: 1, unsupported: 1 }, type);
    assert.ok(!bench.tap.betweenReplies);
  }
});

Deno.test("Tap: small transactions ahead of their answers are not too large together", () => {
  const one = query(`select '${"x".repeat(80)}'`);
  const bench = new Bench({ maxBytes: 1_000 });
  bench.client(concat(Array.from({ length: 50 }, () => one)), 300);
  for (let i = 0; i < 50; i++) bench.server(concat([DONE, READY]));
  bench.drain();
  assert.deepEqual(bench.counts, { seen: 50, pushed: 50 });
  // One of many cycles is.
  bench.client(
    concat([query("begin"), ...Array.from({ length: 50 }, () => one)]),
    300,
  );
  for (let i = 0; i < 51; i++) bench.server(concat([DONE, IN_BLOCK]));
  bench.client(query("commit"));
  bench.server(concat([DONE, READY]));
  bench.drain();
  assert.deepEqual(bench.counts, { seen: 51, pushed: 50, too_large: 1 });
});

Deno.test("Tap: a transaction larger than a buffer goes in fragments", () => {
  const bench = new Bench();
  bench.client(query("copy t from stdin"));
  bench.server(G);
  for (let i = 0; i < 200; i++) bench.client(message("d", "x".repeat(90)));
  bench.client(END);
  bench.server(concat([DONE, READY]));
  bench.drain();
  assert.deepEqual(bench.transactions, [`Q${"d".repeat(200)}c|`]);
  bench.assertClosed();
});

Deno.test("Tap: too large a transaction is dropped whole, the next one is not", () => {
  const bench = new Bench({ maxBytes: 2_000 });
  bench.client(query("copy t from stdin"));
  bench.server(G);
  for (let i = 0; i < 100; i++) bench.client(message("d", "x".repeat(90)));
  bench.client(END);
  bench.server(concat([DONE, READY]));
  bench.client(query("select 1"));
  bench.server(concat([DONE, READY]));
  bench.drain();
  assert.deepEqual(bench.transactions, ["Q|"]);
  assert.deepEqual(bench.counts, { seen: 2, too_large: 1, pushed: 1 });
  assert.equal(bench.stateLost, 0);
});

Deno.test("Tap: the digests of a long cycle go while its reply comes in", () => {
  const count = 50_000;
  const bench = new Bench({ maxBytes: 4_000_000 });
  const statement = DONE.length;
  bench.client(query("select 1;".repeat(count)), 10_000);
  // Cut in the middle of messages; the mirror worker takes what there is.
  const reply = concat([...Array<typeof DONE>(count).fill(DONE), READY]);
  for (let at = 0; at < reply.length; at += 999 * statement + 3) {
    bench.server(reply.slice(at, at + 999 * statement + 3));
    assert.ok(
      bench.capture.heldBytes < 4 * STATEMENT_WORDS * BOUNDS.recordStatements +
          16_384 + 4_096,
      `${bench.capture.heldBytes} bytes are held`,
    );
    bench.drain();
  }
  assert.deepEqual(bench.counts, { seen: 1, pushed: 1 });
  assert.equal(bench.statements.length, count);
  assert.equal(bench.budget.bytes, 0);
});

Deno.test("Tap: nothing of a transaction goes on its way behind the answer at which it was dropped", () => {
  const bench = new Bench({ maxBytes: 500 });
  bench.client(
    concat([query("set a = 1;".repeat(10)), query("select 1;".repeat(600))]),
  );
  bench.server(
    concat([
      ...Array<typeof DONE>(10).fill(DONE),
      READY,
      ...Array<typeof DONE>(600).fill(DONE),
    ]),
  );
  bench.drain();
  assert.equal(bench.budget.bytes, 0);
  bench.server(READY);
  bench.client(query("select 2"));
  bench.server(concat([DONE, READY]));
  bench.drain();
  assert.deepEqual(bench.counts, { seen: 3, too_large: 2, pushed: 1 });
  assert.equal(bench.stateLost, 1);
});

Deno.test("Tap: what waits outside of the ring stays within its bound, whatever the pieces", () => {
  const spillBytes = 300_000;
  const bench = new Bench({ ringBytes: 128 * 1024, spillBytes });
  const statements = 8_000;
  let most = 0;
  for (let i = 0; i < 3; i++) {
    bench.client(query("select 1;".repeat(statements)), 10_000);
    for (let at = 0; at < statements; at += 100) {
      bench.server(concat(Array<typeof DONE>(100).fill(DONE)));
      most = Math.max(most, bench.ring.waitingBytes);
      assert.ok(most <= spillBytes, `${most} bytes wait`);
    }
    bench.server(READY);
  }
  assert.ok(most > 250_000, `${most} bytes waited`);
  assert.deepEqual(bench.counts, { seen: 3, queue_full: 3 });
  bench.drain();
  for (; bench.ring.waiting > 0; bench.drain()) bench.ring.flush();
  assert.equal(bench.ring.waitingBytes, 0);
  bench.client(query("select 2"));
  bench.server(concat([DONE, READY]));
  bench.drain();
  // What was refused may be told with the next record only.
  assert.equal(bench.budget.bytes, 0);
  assert.deepEqual(bench.transactions, ["Q|"]);
});

Deno.test("Tap: a session at rest keeps next to nothing of its largest transaction", () => {
  const bench = new Bench();
  const atRest = bench.capture.heldBytes;
  for (
    const [client, ...server] of [
      [query("select 1;".repeat(400)), concat(Array(400).fill(DONE)), READY],
      // A reply in pieces is collected.
      [query("select 1;"), DONE.subarray(0, 8), DONE.subarray(8), READY],
      [query("select 1;".repeat(400)), concat(Array(399).fill(DONE)), READY],
    ] as const
  ) {
    bench.client(client);
    bench.server(concat([server[0] as Uint8Array]));
    assert.ok(bench.capture.heldBytes > 10_000);
    for (const bytes of server.slice(1)) bench.server(bytes);
    bench.drain();
    assert.ok(
      bench.capture.heldBytes <= atRest + 2 * BOUNDS.restBytes,
      `${bench.capture.heldBytes} bytes at rest`,
    );
  }
  // Hundreds of cycles, each of its own.
  bench.client(query("begin"));
  bench.server(concat([DONE, IN_BLOCK]));
  for (let i = 0; i < 500; i++) {
    bench.client(query("x"));
    bench.server(concat([DONE, IN_BLOCK]));
  }
  assert.ok(bench.capture.heldBytes > 20_000);
  bench.client(query("commit"));
  bench.server(concat([DONE, READY]));
  assert.ok(bench.capture.heldBytes <= atRest + 2 * BOUNDS.restBytes);
});

Deno.test("Tap: digests count towards the bound of a transaction, in one cycle or in many", () => {
  const statements = 2_000;
  const options = { maxBytes: 2 * 9 * statements };
  const one = new Bench(options);
  one.client(query("select 1;".repeat(statements)), 10_000);
  one.server(concat([...Array<typeof DONE>(statements).fill(DONE), READY]));
  const few = new Bench({ maxBytes: 400 });
  few.client(query("select 1;".repeat(10)));
  few.server(concat([...Array<typeof DONE>(10).fill(DONE), READY]));
  const many = new Bench(options);
  many.client(query("begin"));
  many.server(concat([DONE, IN_BLOCK]));
  for (let i = 0; i < statements; i++) {
    many.client(query("x"));
    many.server(concat([DONE, IN_BLOCK]));
    many.drain();
  }
  many.client(query("commit"));
  many.server(concat([DONE, READY]));
  for (const bench of [one, few, many]) {
    bench.client(query("select 2"));
    bench.server(concat([DONE, READY]));
    bench.drain();
    assert.deepEqual(bench.counts, { seen: 2, too_large: 1, pushed: 1 });
    assert.equal(bench.budget.bytes, 0);
  }
});

Deno.test("Tap: where the ring ends a message behind its transaction is known when that transaction ends", () => {
  const bench = new Bench({ maxBytes: 40_000, ringBytes: 256 * 1024 });
  bench.client(query("select 1"));
  // Ahead of the answer, and more than a buffer: most of it is in the ring by then.
  const long = query(`select '${"x".repeat(30_000)}'`);
  bench.client(long.slice(0, 20_000), 5_000);
  bench.server(concat([DONE, READY]));
  bench.client(long.slice(20_000), 5_000);
  // Too large now: what was not sent is looked at, from where it stands.
  bench.client(query(`set a = '${"x".repeat(20_000)}'`), 5_000);
  bench.server(concat([DONE, READY, DONE, READY]));
  bench.drain();
  assert.deepEqual(bench.transactions, ["Q|"]);
  assert.equal(bench.stateLost, 1);
  bench.assertClosed();
});

Deno.test("Tap: a full ring drops whole transactions, says if state was lost, and recovers", () => {
  const bench = new Bench({ ringBytes: 4096 });
  for (let i = 0; i < 60; i++) {
    bench.client(query(i === 50 ? "set a = 1" : "select 1"));
    bench.server(concat([DONE, READY]));
  }
  const { queue_full = 0 } = bench.counts;
  assert.ok(queue_full > 0);
  bench.drain();
  bench.client(query("select 2"));
  bench.server(concat([DONE, READY]));
  bench.drain();
  bench.assertClosed();
  assert.equal(bench.counts.pushed, 61 - queue_full);
  assert.equal(bench.stateLost, 1);
});

/** A transaction of 100 kB: `before` its data, `behind` them in the same write. */
function largeCopy(bench: Bench, before: Uint8Array, behind: Uint8Array): void {
  const filler = new TextEncoder().encode("prepare x; set y");
  bench.client(query("begin"));
  bench.server(concat([DONE, IN_BLOCK]));
  bench.client(concat([before, sync()]));
  bench.server(IN_BLOCK);
  bench.client(query("copy t from stdin"));
  bench.server(G);
  const data = message("d", new Uint8Array(1_000), filler);
  bench.client(
    concat([...Array.from({ length: 100 }, () => data), END, behind, sync()]),
    700,
  );
  bench.server(concat([DONE, IN_BLOCK, IN_BLOCK]));
  bench.client(query("commit"));
  bench.server(concat([DONE, READY]));
  bench.drain();
  bench.client(query("select 1"));
  bench.server(concat([DONE, READY]));
  bench.drain();
}

Deno.test("Tap: a transaction that is dropped half way says whether state was lost, wherever it was", () => {
  const none = new Uint8Array(0);
  const named = message("P", "named\0select 1\0", new Uint8Array(2));
  const bounds = [
    { options: { maxBytes: 50_000 }, reason: "too_large" },
    { options: { queueBytes: 50_000 }, reason: "queue_full" },
    { options: { ringBytes: 32_768 }, reason: "queue_full" },
  ];
  for (const { options, reason } of bounds) {
    for (
      const [before, behind, lost] of [
        [none, none, 0],
        [named, none, 1],
        [none, named, 1],
      ] as const
    ) {
      const bench = new Bench(options);
      largeCopy(bench, before, behind);
      assert.deepEqual(bench.transactions, ["Q|"]);
      assert.deepEqual(bench.counts, { seen: 2, [reason]: 1, pushed: 1 });
      assert.equal(bench.stateLost, lost, JSON.stringify({ options, lost }));
    }
  }
});

Deno.test("Tap: a long transaction takes all of its bytes from the queue's bound while it comes in", () => {
  const bench = new Bench({ maxBytes: 4_000_000 });
  bench.client(query("begin"));
  bench.server(concat([DONE, IN_BLOCK]));
  const count = 20 * 512;
  for (let i = 0; i < count; i++) {
    bench.client(query("x"));
    bench.server(concat([DONE, IN_BLOCK]));
    if (i % 512 === 0) bench.drain();
  }
  bench.drain();
  // The query is 7 bytes; its digest and cycle have 12 and 4 words or more.
  assert.ok(bench.budget.bytes >= count * (7 + 4 * 16));
  bench.client(query("commit"));
  bench.server(concat([DONE, READY]));
  bench.drain();
  assert.equal(bench.budget.bytes, 0);
  assert.deepEqual(bench.transactions, ["Q|".repeat(count + 2)]);
});

Deno.test("Tap: what a dropped transaction has in the queue is given back at once", () => {
  const bench = new Bench({ maxBytes: 50_000 });
  bench.client(query("copy t from stdin"));
  bench.server(G);
  for (let i = 0; i < 100; i++) bench.client(message("d", new Uint8Array(990)));
  bench.drain();
  assert.equal(bench.budget.bytes, 0);
});

Deno.test("Tap: what comes before the login has ended counts like the rest", () => {
  const password = message("p", "secret Q\0");
  const bench = new Bench({
    early: concat([password, password, query("begin"), query("commit")]),
  });
  bench.server(concat([DONE, IN_BLOCK, DONE, READY]));
  bench.client(query("select 1"));
  bench.server(concat([DONE, READY]));
  bench.drain();
  assert.deepEqual(bench.transactions, ["Q|Q|", "Q|"]);
  bench.assertClosed();
  assert.ok(!bench.tap.busy);
});

Deno.test("Tap: a session that is unintelligible before its login has ended is seen once", () => {
  const bench = new Bench({ early: query("x".repeat(70_000)) });
  bench.server(concat([DONE, READY]));
  bench.client(query("select 1"));
  bench.server(concat([DONE, READY]));
  bench.drain();
  assert.deepEqual(bench.counts, { seen: 1, unsupported: 1 });
});

Deno.test("Tap: bytes that can't be cut are not looked at any more", () => {
  const bench = new Bench();
  bench.client(new Uint8Array([0x51, 0, 0, 0, 3, 1, 2, 3]));
  bench.client(query("select 1"));
  bench.server(concat([DONE, READY]));
  bench.drain();
  assert.deepEqual(bench.transactions, []);
  bench.assertClosed();
});

Deno.test("Tap: what waits when the client's bytes can't be cut any more is seen where it is answered", () => {
  const broken = new Uint8Array([0x51, 0, 0, 0, 1]);
  const tooMany = Cycles.MAX + 1;
  for (
    const [bytes, count] of [
      [concat([query("select 1"), query("select 2"), broken]), 2],
      [concat(Array.from({ length: tooMany }, sync)), tooMany],
    ] as const
  ) {
    const session = new TappedSession(new ShapeCache(10));
    for (let at = 0; at < bytes.length; at += BOUNDS.readBytes) {
      session.client(bytes.subarray(at, at + BOUNDS.readBytes));
    }
    for (let i = 0; i < count; i++) session.server(concat([DONE, READY]));
    session.end();
    assert.equal(session.seen, count);
    assert.ok(session.closed);
  }
});

Deno.test("Tap: knows where a reply ends and whether the session rests, even when it can't cut cycles", () => {
  const bench = new Bench();
  bench.client(new Uint8Array([0x51, 0, 0, 0, 3]));
  assert.ok(bench.tap.busy && bench.tap.betweenReplies);
  bench.server(IN_BLOCK.subarray(0, 5));
  assert.ok(!bench.tap.betweenReplies);
  bench.server(IN_BLOCK.subarray(5));
  assert.ok(bench.tap.busy && bench.tap.betweenReplies);
  bench.client(query("commit"));
  bench.server(concat([DONE, READY]));
  assert.ok(!bench.tap.busy);
  const streaming = new Bench();
  streaming.client(query("start_replication"));
  streaming.server(
    concat([message("W"), message("d", "x"), DONE.subarray(0, 3)]),
  );
  assert.ok(!streaming.tap.betweenReplies);
});
