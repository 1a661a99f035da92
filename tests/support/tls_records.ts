import type { Direction } from "./fault_moments.ts";

/** What comes in clear before TLS: SSLRequest and its answer (manual, "SSL Session Encryption"). */
const PREAMBLES: Readonly<Record<Direction, readonly number[]>> = {
  upstream: [0, 0, 0, 8, 4, 210, 22, 47],
  downstream: ["S".charCodeAt(0)],
};
/** Type, version, length (RFC 8446, section 5.1). */
const HEADER_BYTES = 5;
const MAJOR_VERSION = 3;

/** change_cipher_spec to application_data. */
const RECORD_TYPES = { first: 20, last: 23 };
/** In TLS 1.3 also the encrypted part of the handshake. */
export const APPLICATION_DATA = 23;

/** A record that begins in a chunk. */
export interface TlsRecord {
  readonly type: number;
  /** Index of the middle of its body in the chunk, or the chunk's end if that is nearer. */
  readonly middle: number;
}

/** Cuts one direction of a PostgreSQL connection on TLS into records, and counts what is outside of them. */
export class TlsRecords {
  /** Bytes that are neither in a record nor the SSLRequest or its answer. */
  inClear = 0;
  readonly #preamble: readonly number[];
  #seen = 0;
  readonly #header = new Uint8Array(HEADER_BYTES);
  #filled = 0;
  #body = 0;
  #lost = false;

  constructor(direction: Direction) {
    this.#preamble = PREAMBLES[direction];
  }

  /** The records whose headers end in `chunk`. */
  *step(chunk: Uint8Array): Iterable<TlsRecord> {
    let at = 0;
    for (; this.#seen < this.#preamble.length && at < chunk.length; at++) {
      if (chunk[at] !== this.#preamble[this.#seen++]) this.inClear++;
    }
    while (at < chunk.length) {
      if (this.#lost) {
        this.inClear += chunk.length - at;
        return;
      }
      if (this.#body > 0) {
        const count = Math.min(this.#body, chunk.length - at);
        this.#body -= count;
        at += count;
        continue;
      }
      this.#header[this.#filled] = chunk[at] as number; // at < length
      if (!this.#isHeader()) {
        this.#lost = true;
        this.inClear += this.#filled; // what seemed to be one
        continue;
      }
      at++;
      if (++this.#filled < HEADER_BYTES) continue;
      this.#filled = 0;
      this.#body = new DataView(this.#header.buffer).getUint16(3);
      const middle = Math.min(at + (this.#body >> 1), chunk.length);
      yield { type: this.#header[0] as number, middle };
    }
  }

  /** The byte that has come last can be where it is. */
  #isHeader(): boolean {
    const [type, major] = this.#header as unknown as [number, number];
    return type >= RECORD_TYPES.first && type <= RECORD_TYPES.last &&
      (this.#filled === 0 || major === MAJOR_VERSION);
  }
}
