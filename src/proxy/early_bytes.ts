import { Framer, PASSWORD } from "../wire/mod.ts";

/**
 * Keeps what a client sends ahead of its login's end, without waiting for it:
 * legal, if unheard of. The login conversation itself is not kept.
 */
export class EarlyBytes {
  /** Bound in bytes of what is kept. */
  static readonly MAX_BYTES = 64 * 1024;

  bytes: Uint8Array | undefined;
  readonly #framer = new Framer();

  /** Takes `chunk[0, length)`. False if it can't be cut, or is too much. */
  take(chunk: Uint8Array, length: number): boolean {
    let from = 0;
    if (this.bytes === undefined) {
      const framer = this.#framer;
      for (let at = 0; at < length; from = at) {
        const begins = framer.atBoundary;
        at = framer.step(chunk, at, length);
        if (framer.broken) return false;
        if (begins && framer.type !== PASSWORD) break;
      }
      if (from === length) return true;
    }
    const held = this.bytes?.length ?? 0;
    if (held + length - from > EarlyBytes.MAX_BYTES) return false;
    const bytes = new Uint8Array(held + length - from);
    if (this.bytes !== undefined) bytes.set(this.bytes);
    bytes.set(chunk.subarray(from, length), held);
    this.bytes = bytes;
    return true;
  }
}
