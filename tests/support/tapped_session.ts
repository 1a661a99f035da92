import {
  createRing,
  RECORD_FRAGMENT,
  RECORD_KIND_MASK,
  ReplyDigest,
  RingConsumer,
  RingProducer,
} from "../../src/record/mod.ts";
import { UNPLANNED } from "../../src/replay/plan.ts";
import { exampleValues } from "../../src/judge/example_values.ts";
import { planTransaction } from "../../src/replay/plan.ts";
import { Replay } from "../../src/replay/replay.ts";
import { SessionStatements } from "../../src/replay/session_statements.ts";
import { Stream } from "../../src/record/stream.ts";
import { QueueBudget } from "../../src/record/mod.ts";
import type { Transaction } from "../../src/record/transaction.ts";
import { ProbeSet } from "../../src/plugin/probe_set.ts";
import { BufferPool } from "../../src/proxy/buffer_pool.ts";
import { Capture } from "../../src/proxy/capture.ts";
import { Tap } from "../../src/proxy/tap.ts";
import { sessionState, StateWatch } from "../../src/sql/mod.ts";
import type { ShapeCache } from "../../src/sql/shape_cache.ts";
import { Framer } from "../../src/wire/mod.ts";

const COMPARE_BYTES = 4_096;
const RING_BYTES = 256 * 1024;
const QUEUE_BYTES = 16 * 1024 * 1024;
const READY = new Uint8Array([0x5a, 0, 0, 0, 5, 0x49]);

/**
 * One session's way through the proxy without its sockets: the tap, a real
 * ring, and what the mirror worker does with what comes out of it.
 */
export class TappedSession {
  /** When the client sends, in microseconds; it is answered one later. */
  nowUs = 1;
  seen = 0;
  excluded = 0;
  dropped = 0;
  readonly transactions: Transaction[] = [];
  readonly #tap: Tap;
  readonly #capture: Capture;
  readonly #consumer: RingConsumer;
  readonly #stream: Stream;
  readonly #statements: SessionStatements;
  readonly #budget = new QueueBudget(QUEUE_BYTES);
  #scratch = new Uint8Array(4_096);

  constructor(
    shapes: ShapeCache,
  ) {
    const memory = createRing(RING_BYTES);
    this.#consumer = new RingConsumer(memory);
    this.#statements = new SessionStatements(shapes);
    this.#capture = new Capture(
      new RingProducer(memory),
      new BufferPool(8_192, 262_144),
      1,
      "",
      { targets: [1], mode: "rows", compareBytes: COMPARE_BYTES },
    );
    const probe = {
      requestSeen: () => void this.seen++,
      requestExcluded: () => void this.excluded++,
      requestDropped: () => void this.dropped++,
    };
    this.#tap = new Tap(
      new ProbeSet([{ module: "test", probe }], (_module, error) => {
        throw error;
      }),
    );
    this.#stream = new Stream(
      {
        onTransaction: (transaction) => {
          this.transactions.push(transaction);
          planTransaction(transaction, this.#statements);
          sessionState(transaction.bytes);
          exampleValues(transaction.bytes);
        },
        onDiscarded: (transaction) => {
          planTransaction(transaction, this.#statements);
        },
        onStateLost() {},
        createLooker: () => new StateWatch(),
        onShed: () => void this.dropped++,
      },
      this.#budget,
      { mode: "rows", bytes: COMPARE_BYTES },
    );
    this.#tap.attach(
      { series: [0], excluded: -1, maxTransactionBytes: 1024 * 1024 },
      this.#capture,
      0,
    );
    this.#tap.server(READY, READY.length, 0);
  }

  client(bytes: Uint8Array): void {
    this.#read(
      bytes,
      (chunk) => this.#tap.client(chunk, bytes.length, this.nowUs),
    );
  }

  server(bytes: Uint8Array): void {
    this.#read(
      bytes,
      (chunk) => this.#tap.server(chunk, bytes.length, this.nowUs + 1),
    );
    this.#drain();
  }

  /** As a worker reads: all into one buffer, and the next read overwrites it. */
  #read(bytes: Uint8Array, take: (chunk: Uint8Array) => void): void {
    if (bytes.length > this.#scratch.length) {
      this.#scratch = new Uint8Array(2 * bytes.length);
    }
    this.#scratch.set(bytes);
    take(this.#scratch);
    this.#scratch.fill(0xee);
  }

  /** The client has gone. @returns bytes of the queue's budget that were not given back. */
  end(): number {
    this.#tap.end(4, 9);
    this.#drain();
    this.#stream.close();
    return this.#budget.bytes;
  }

  /** The client waits for an answer, or is in a transaction. */
  get busy(): boolean {
    return this.#tap.busy;
  }

  /** seen = excluded + dropped + what came out. */
  get closed(): boolean {
    return this.seen ===
      this.excluded + this.dropped + this.transactions.length;
  }

  #drain(): void {
    for (let at = this.#consumer.next(); at >= 0; at = this.#consumer.next()) {
      const kind = (this.#consumer.words[at >> 2] as number) & RECORD_KIND_MASK;
      if (kind === RECORD_FRAGMENT) this.#stream.fragment(this.#consumer, at);
      this.#consumer.release();
    }
  }
}

/** Replays `transaction` against a mirror that answers `chunks`, whatever they are. */
export function replayAgainst(
  transaction: Transaction,
  chunks: readonly Uint8Array[],
): void {
  const digest = new ReplyDigest(COMPARE_BYTES);
  const replay = new Replay(transaction, UNPLANNED, digest, new Framer());
  replay.take(0);
  for (const chunk of chunks) {
    const progress = replay.reply(chunk, chunk.length, 1, () => {});
    if (progress === "next") replay.take(1);
    else if (progress === "done" || progress === "protocol") return;
  }
}
