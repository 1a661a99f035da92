import {
  Collector,
  COMMAND_COMPLETE,
  COPY_DATA,
  DATA_ROW,
  EMPTY_QUERY_RESPONSE,
  ERROR_RESPONSE,
  type Framer,
  FUNCTION_CALL_RESPONSE,
  PORTAL_SUSPENDED,
  sqlstateOf,
} from "../wire/mod.ts";
import {
  KIND_COMPLETE,
  KIND_EMPTY,
  KIND_ERROR,
  KIND_FUNCTION,
  KIND_SUSPENDED,
  STATEMENT_COMPLETE,
  STATEMENT_FIRST_BYTE,
  STATEMENT_KIND,
  STATEMENT_ROWS,
  STATEMENT_SQLSTATE,
  STATEMENT_TAG,
  STATEMENT_WORDS,
} from "./statement.ts";

/**
 * Digests a server's reply as it streams: one entry per statement, in order.
 * The same code reads the primary's bytes and the mirror's.
 */
export class ReplyDigest {
  /** `statements` entries of {@linkcode STATEMENT_WORDS} words. */
  words: Uint32Array<ArrayBuffer> = new Uint32Array(STATEMENT_WORDS * 4);
  statements = 0;
  #rows = 0;
  #firstByteUs = -1;
  readonly #body = new Collector();

  /** Forgets the entries, and what is known of a statement under way. */
  clear(): void {
    this.statements = 0;
    this.#rows = 0;
    this.#firstByteUs = -1;
  }

  /** Forgets the first `count` entries: they have been sent on. */
  shift(count: number): void {
    this.words.copyWithin(
      0,
      count * STATEMENT_WORDS,
      this.statements * STATEMENT_WORDS,
    );
    this.statements -= count;
  }

  /**
   * Takes one step of the framer that cuts the reply: body bytes are
   * `chunk[from, to)`.
   *
   * @param elapsedUs microseconds since the cycle's last client byte.
   */
  step(
    framer: Framer,
    chunk: Uint8Array,
    from: number,
    to: number,
    elapsedUs: number,
  ): void {
    if (this.#firstByteUs < 0) this.#firstByteUs = elapsedUs;
    switch (framer.type) {
      case DATA_ROW:
      case COPY_DATA:
        if (framer.finished) this.#rows++;
        return;
      case COMMAND_COMPLETE:
        if (framer.started && framer.finished) {
          this.#endCommand(chunk, from, to, elapsedUs);
          return;
        }
        this.#body.take(chunk, from, to, framer.started, framer.finished);
        if (!framer.finished) return;
        this.#endCommand(this.#body.bytes, 0, this.#body.length, elapsedUs);
        return;
      case ERROR_RESPONSE: {
        this.#body.take(chunk, from, to, framer.started, framer.finished);
        if (!framer.finished) return;
        const { bytes, length } = this.#body;
        this.#end(KIND_ERROR, sqlstateOf(bytes, length), 0, elapsedUs);
        return;
      }
      case EMPTY_QUERY_RESPONSE:
        if (framer.finished) this.#end(KIND_EMPTY, 0, 0, elapsedUs);
        return;
      case PORTAL_SUSPENDED:
        if (framer.finished) this.#end(KIND_SUSPENDED, 0, 0, elapsedUs);
        return;
      case FUNCTION_CALL_RESPONSE:
        if (framer.finished) this.#end(KIND_FUNCTION, 0, 0, elapsedUs);
    }
  }

  /** A tag is `SELECT 5`, `INSERT 0 1`, `BEGIN`: words, then perhaps a row count. */
  #endCommand(
    bytes: Uint8Array,
    from: number,
    to: number,
    elapsedUs: number,
  ): void {
    let hash = 0x811c9dc5; // FNV-1a
    let count = 0;
    for (let i = from; i < to; i++) {
      const byte = bytes[i] as number;
      if (byte === 0) break;
      if (byte >= 0x30 && byte <= 0x39) {
        // The last number is the count: the oid before it (INSERT) starts over.
        count = i > from && bytes[i - 1] === 0x20
          ? byte - 0x30
          : count * 10 + byte - 0x30;
      } else hash = Math.imul(hash ^ byte, 0x01000193);
    }
    if (this.#rows === 0) this.#rows = Math.min(count, 0xffff_ffff);
    this.#end(KIND_COMPLETE, 0, hash >>> 0, elapsedUs);
  }

  #end(kind: number, sqlstate: number, tag: number, elapsedUs: number): void {
    const at = this.statements * STATEMENT_WORDS;
    if (at === this.words.length) {
      const grown = new Uint32Array(this.words.length * 2);
      grown.set(this.words);
      this.words = grown;
    }
    const words = this.words;
    words[at + STATEMENT_KIND] = kind;
    words[at + STATEMENT_SQLSTATE] = sqlstate;
    words[at + STATEMENT_TAG] = tag;
    words[at + STATEMENT_ROWS] = this.#rows;
    words[at + STATEMENT_FIRST_BYTE] = this.#firstByteUs;
    words[at + STATEMENT_COMPLETE] = elapsedUs;
    this.statements++;
    this.#rows = 0;
    this.#firstByteUs = -1;
  }
}
