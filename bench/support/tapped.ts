import { ProbeSet } from "../../src/plugin/mod.ts";
import { BufferPool } from "../../src/proxy/buffer_pool.ts";
import { Capture } from "../../src/proxy/capture.ts";
import { Tap } from "../../src/proxy/tap.ts";
import {
  BOUNDS,
  createRing,
  RingConsumer,
  RingProducer,
} from "../../src/record/mod.ts";
import { type Exchange, READY } from "./bytes.ts";

/** `mirror_max_transaction_bytes`, as it is by default. */
const MAX_TRANSACTION_BYTES = 32 * 1024 * 1024;
/** `mirror_compare_bytes`, as it is by default. */
export const COMPARE_BYTES = 65_536;
/** A monotonic clock of a machine that has been up for a day, in µs: no small integer, and a fraction. */
export const DAY_US = 86_400_000_000.25;

/** Takes every record out of a ring, and looks at none. */
export function drain(consumer: RingConsumer): void {
  while (consumer.next() >= 0) consumer.release();
}

/** A logged-in session's tap, as its proxy worker has it, without the sockets. */
export class Tapped {
  readonly tap: Tap;
  readonly consumer: RingConsumer;
  #nowUs = DAY_US;
  /** A worker reads everything into one buffer. */
  readonly #scratch = new Uint8Array(128 * 1024);

  /** @param mirrored with a capture and a series that is counted; without, the session has no mirror. */
  constructor(mirrored: boolean, probes = new ProbeSet([], () => {})) {
    const memory = createRing(BOUNDS.ringBytes);
    this.consumer = new RingConsumer(memory);
    this.tap = new Tap(probes);
    const capture = new Capture(
      new RingProducer(memory),
      new BufferPool(BOUNDS.smallBufferBytes, BOUNDS.largeBufferBytes),
      1,
      "user\0ann\0database\0shop\0",
      { targets: [1], mode: "rows", compareBytes: COMPARE_BYTES },
    );
    this.tap.attach(
      {
        series: mirrored ? [0] : [],
        excluded: -1,
        maxTransactionBytes: MAX_TRANSACTION_BYTES,
      },
      mirrored ? capture : undefined,
      this.#nowUs,
    );
    this.tap.server(READY, READY.length, this.#nowUs);
  }

  /** A transaction, and the mirror worker takes what comes of it. */
  run(exchanges: readonly Exchange[]): void {
    const { tap } = this;
    const scratch = this.#scratch;
    for (let i = 0; i < exchanges.length; i++) {
      const { request, reply } = exchanges[i] as Exchange; // below length
      scratch.set(request);
      tap.client(scratch, request.length, this.#nowUs);
      this.#nowUs += 83.5;
      scratch.set(reply);
      tap.server(scratch, reply.length, this.#nowUs);
    }
    drain(this.consumer);
  }

  /** Bytes of a result that goes on; a query must have been sent. */
  reply(chunk: Uint8Array): void {
    this.#nowUs += 20.25;
    this.tap.server(chunk, chunk.length, this.#nowUs);
  }
}
