import { BOUNDS } from "./bounds.ts";
import { RecordList } from "./record_list.ts";
import {
  Collector,
  COMMAND_COMPLETE,
  COPY_DATA,
  COPY_IN_RESPONSE,
  COPY_OUT_RESPONSE,
  DATA_ROW,
  EMPTY_QUERY_RESPONSE,
  ERROR_RESPONSE,
  type Framer,
  FUNCTION_CALL_RESPONSE,
  isFatal,
  PORTAL_SUSPENDED,
  ROW_DESCRIPTION,
  sqlstate,
  sqlstateOf,
} from "../wire/mod.ts";
import { ColumnsHash } from "./columns_hash.ts";
import { RowHash } from "./row_hash.ts";
import { STATEMENT_WORDS } from "./record.ts";
import * as s from "./statement.ts";

const MAX_STATEMENTS = BOUNDS.recordStatements;
/** Signature, flags and extension's length of COPY's binary format (manual, COPY, "Binary Format"). */
const COPY_HEADER_BYTES = 19;
const BINARY = 1;
/** A cancel's, a statement_timeout's, and that of a COPY that CopyFail has ended. */
const QUERY_CANCELED = sqlstate("57014");
/** Times and counts stop here. */
const MAX_WORD = 0xffff_ffff;

/**
 * Digests a server's reply as it streams: one entry per statement, in order.
 * The same code reads the primary's bytes and the mirror's. It holds as many
 * entries as a record does: of a long reply they are taken while it comes in.
 *
 * ```
 * statements <= BOUNDS.recordStatements, once whoever asks for `full` has drained it
 * ```
 */
export class ReplyDigest {
  statements = 0;
  /** For {@linkcode s.STATEMENT_SENT} of a reply that begins. */
  sentUs = 0;
  readonly #entries = new RecordList(STATEMENT_WORDS);
  readonly #rows: RowHash;
  readonly #body = new Collector();
  readonly #description = new ColumnsHash();
  /** Bytes of a COPY's header that are to come, and those in the row under way. */
  #header = 0;
  #headerInRow = 0;
  #columns = 0;
  #flags = 0;
  #sentUs = -1;

  /** @param maxRowBytes rows that end within so many bytes are hashed. */
  constructor(maxRowBytes: number) {
    this.#rows = new RowHash(maxRowBytes);
  }

  /** Another bound on the rows that are hashed, in bytes; set between transactions. */
  set maxRowBytes(bytes: number) {
    this.#rows.maxBytes = bytes;
  }

  /** `statements` entries of STATEMENT_WORDS words. */
  get words(): Uint32Array<ArrayBuffer> {
    return this.#entries.words;
  }

  /** The last statement failed with 57014. */
  get cancelled(): boolean {
    const at = (this.statements - 1) * STATEMENT_WORDS + s.STATEMENT_SQLSTATE;
    return this.statements > 0 && this.words[at] === QUERY_CANCELED;
  }

  /** There is no room for another entry: {@linkcode ReplyDigest.drain} it. */
  get full(): boolean {
    return this.statements >= MAX_STATEMENTS;
  }

  /** The entries were taken; a statement under way goes on. */
  drain(): void {
    this.statements = 0;
  }

  /** Forgets the entries, and what is known of a statement under way. */
  clear(): void {
    this.statements = 0;
    this.#begin();
  }

  /** No reply is to come for now: the entries, which were taken, give back their room. */
  rest(): void {
    this.statements = 0;
    this.#entries.rest();
    this.#body.rest();
  }

  /** Memory that a reply has taken, and that lasts. */
  get heldBytes(): number {
    return this.#entries.heldBytes + this.#body.heldBytes;
  }

  /**
   * Takes one step of the framer that cuts the reply: body bytes are
   * `chunk[from, to)`.
   *
   * @param elapsedUs microseconds since the cycle's start.
   */
  step(
    framer: Framer,
    chunk: Uint8Array,
    from: number,
    to: number,
    elapsedUs: number,
  ): void {
    if (this.#sentUs < 0) this.#sentUs = this.sentUs;
    switch (framer.type) {
      case DATA_ROW:
        this.#rows.add(chunk, from, to);
        if (framer.finished) this.#rows.end(framer.bodyLength);
        return;
      case COPY_DATA:
        return this.#copyData(framer, chunk, from, to);
      case COPY_OUT_RESPONSE:
        // Its first byte is the format.
        if (from < to && framer.bodyLength - framer.remaining === to - from) {
          this.#header = chunk[from] === BINARY ? COPY_HEADER_BYTES : 0;
        }
        return;
      case ROW_DESCRIPTION:
        if (framer.started) this.#description.begin();
        this.#description.add(chunk, from, to);
        if (!framer.finished) return;
        this.#columns = this.#description.value;
        this.#flags |= s.FLAG_ROWS;
        return;
      case COMMAND_COMPLETE:
      case ERROR_RESPONSE:
        if (framer.started && framer.finished) {
          return this.#opened(framer.type, chunk, from, to, elapsedUs);
        }
        this.#body.take(chunk, from, to, framer.started, framer.finished);
        if (!framer.finished) return;
        return this.#opened(
          framer.type,
          this.#body.bytes,
          0,
          this.#body.length,
          elapsedUs,
        );
      case COPY_IN_RESPONSE:
        this.#flags |= s.FLAG_COPY_IN;
        this.#sentUs = -1; // the data are still to be sent
        return;
      case EMPTY_QUERY_RESPONSE:
        if (framer.finished) this.#end(s.KIND_EMPTY, 0, 0, elapsedUs);
        return;
      case PORTAL_SUSPENDED:
        if (framer.finished) this.#end(s.KIND_SUSPENDED, 0, 0, elapsedUs);
        return;
      case FUNCTION_CALL_RESPONSE:
        this.#rows.add(chunk, from, to);
        if (!framer.finished) return;
        this.#rows.end(framer.bodyLength);
        this.#end(s.KIND_FUNCTION, 0, 0, elapsedUs);
    }
  }

  /** ReadyForQuery: a description that nothing was executed for becomes an entry. */
  cycleEnded(elapsedUs: number): void {
    if (this.#columns !== 0) this.#end(s.KIND_DESCRIBED, 0, 0, elapsedUs);
    else this.#begin();
  }

  /** A row of a COPY. The binary format's header travels in the first one, whichever that is, and is no part of it. */
  #copyData(framer: Framer, chunk: Uint8Array, from: number, to: number): void {
    const header = Math.min(this.#header, to - from);
    this.#header -= header;
    this.#headerInRow += header;
    this.#rows.add(chunk, from + header, to);
    if (!framer.finished) return;
    const bytes = framer.bodyLength - this.#headerInRow;
    if (bytes > 0 || this.#headerInRow === 0) this.#rows.end(bytes);
    this.#headerInRow = 0;
  }

  #opened(
    type: number,
    bytes: Uint8Array,
    from: number,
    to: number,
    elapsedUs: number,
  ): void {
    if (type === COMMAND_COMPLETE) {
      return this.#endCommand(bytes, from, to, elapsedUs);
    }
    const body = bytes.subarray(from, to);
    if (isFatal(body, body.length)) this.#flags |= s.FLAG_FATAL;
    this.#end(s.KIND_ERROR, sqlstateOf(body, body.length), 0, elapsedUs);
  }

  /** A tag is `SELECT 5`, `INSERT 0 1`, `BEGIN`: words, then perhaps a row count. */
  #endCommand(
    bytes: Uint8Array,
    from: number,
    to: number,
    elapsedUs: number,
  ): void {
    let hash = s.HASH_SEED;
    let count = 0;
    let spaces = 0;
    for (let i = from; i < to; i++) {
      const byte = bytes[i] as number;
      if (byte === 0) break;
      if (byte === 0x20) {
        spaces++;
        count = 0;
      } else if (byte >= 0x30 && byte <= 0x39) {
        // The last number is the count: the oid before it (INSERT) starts over.
        count = count * 10 + byte - 0x30;
      } else {
        for (; spaces > 0; spaces--) hash = s.hashByte(hash, 0x20);
        hash = s.hashByte(hash, byte);
      }
    }
    this.#end(
      s.KIND_COMPLETE,
      0,
      hash >>> 0,
      elapsedUs,
      Math.min(count, MAX_WORD),
    );
  }

  /** @param count of the tag: what a command without rows counts. */
  #end(
    kind: number,
    sqlstate: number,
    tag: number,
    elapsedUs: number,
    count = 0,
  ): void {
    const at = this.statements * STATEMENT_WORDS;
    if (at === this.#entries.words.length) this.#entries.grow();
    const words = this.#entries.words;
    const rows = this.#rows;
    if (rows.rows > 0) this.#flags |= s.FLAG_ROWS;
    if (rows.hashedRows < rows.rows) this.#flags |= s.FLAG_CUT;
    words[at + s.STATEMENT_KIND] = kind | this.#flags;
    words[at + s.STATEMENT_SQLSTATE] = sqlstate;
    words[at + s.STATEMENT_TAG] = tag;
    words[at + s.STATEMENT_ROWS] = rows.rows || count;
    words[at + s.STATEMENT_COLUMNS] = this.#columns;
    words[at + s.STATEMENT_ORDERED] = rows.orderedA;
    words[at + s.STATEMENT_ORDERED + 1] = rows.orderedB;
    words[at + s.STATEMENT_UNORDERED] = rows.unorderedA;
    words[at + s.STATEMENT_UNORDERED + 1] = rows.unorderedB;
    words[at + s.STATEMENT_HASHED_ROWS] = rows.hashedRows;
    words[at + s.STATEMENT_SENT] = Math.min(this.#sentUs, MAX_WORD);
    words[at + s.STATEMENT_COMPLETE] = Math.min(elapsedUs, MAX_WORD);
    this.statements++;
    this.#begin();
  }

  #begin(): void {
    if (this.#rows.rows > 0) this.#rows.reset();
    this.#columns = this.#flags = this.#header = 0;
    this.#sentUs = -1;
  }
}
