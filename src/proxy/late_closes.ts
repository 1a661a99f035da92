import type { RingProducer } from "../record/mod.ts";
import { writeClose } from "./capture.ts";

/**
 * Streams that are over while the ring is full: the mirror worker is told once
 * it has room. A mirror worker that has died need not be told.
 */
export class LateCloses {
  /** Bound of what waits: sessions that end while the mirror worker stands still. Beyond it a lane stays open until a restart. */
  static readonly MAX = 65_536;

  /** Streams that were refused by it. */
  lost = 0;
  readonly #ring: RingProducer;
  #streams: number[] = [];

  constructor(ring: RingProducer) {
    this.#ring = ring;
  }

  get waiting(): number {
    return this.#streams.length;
  }

  /** @returns whether it is the first: {@linkcode LateCloses.retry} from now on. */
  add(stream: number): boolean {
    if (this.#ring.isAbandoned) return false;
    if (this.#streams.length < LateCloses.MAX) {
      return this.#streams.push(stream) === 1;
    }
    this.lost++;
    return false;
  }

  /** Tells as many as the ring has room for. */
  retry(): void {
    if (this.#ring.isAbandoned) this.#streams = [];
    let told = 0;
    for (const stream of this.#streams) {
      if (!writeClose(this.#ring, stream)) break;
      told++;
    }
    this.#streams = this.#streams.slice(told);
  }
}
