import { AnswerBuffer } from "./answer_buffer.ts";
import { BOUNDS, ERROR_BYTES } from "./bounds.ts";
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
  HEADER_BYTES,
  isFatal,
  PORTAL_SUSPENDED,
  ROW_DESCRIPTION,
  sqlstate,
  sqlstateOf,
} from "../wire/mod.ts";
import { ColumnsHash } from "./columns_hash.ts";
import { RowHash } from "./row_hash.ts";
import { MAX_WORD, STATEMENT_WORDS } from "./record.ts";
import { tagCountAt, tagHashAt } from "./tags.ts";
import * as s from "./statement.ts";

const { recordStatements: MAX_STATEMENTS, answerBytes: MAX_ANSWER_BYTES } =
  BOUNDS;
/** Signature, flags and extension's length of COPY's binary format (manual, COPY, "Binary Format"). */
const COPY_HEADER_BYTES = 19;
const BINARY = 1;
/** A cancel's, a statement_timeout's, and that of a COPY that CopyFail has ended. */
const QUERY_CANCELED = sqlstate("57014");

const TWO_32 = 0x1_0000_0000;

/**
 * Digests a server's reply as it streams: one entry per statement, in order,
 * and the answer: descriptions, rows and errors as they came. The bound cuts
 * between rows, so that two servers that send equal rows stop at the same one.
 * The same code reads the primary's bytes and the mirror's. It holds as much
 * as a record does: of a long reply it is taken while the reply comes in.
 *
 * ```
 * statements <= BOUNDS.recordStatements, once whoever asks for `full` has drained it
 * the answers of all statements, and what came of the one under way: answer, as far as it is not drained
 * ```
 */
export class ReplyDigest {
  statements = 0;
  /** There is no room for another entry, or for more of an answer: {@linkcode ReplyDigest.drain} it. A field, because it is asked for at each row. */
  full = false;
  /** For {@linkcode s.STATEMENT_SENT} of a reply that begins. */
  sentUs = 0;
  readonly #entries = new RecordList(STATEMENT_WORDS);
  readonly #answer = new AnswerBuffer();
  /** Of the rows behind the answer. */
  readonly #rest: RowHash;
  readonly #body = new Collector();
  readonly #description = new ColumnsHash();
  #maxBytes: number;
  /** Bytes of the statement under way that its answer has room for. */
  #room: number;
  /** A row did not fit: none behind it is kept. */
  #isCut = false;
  /** The message under way is kept. */
  #isKept = false;
  #answerBytes = 0;
  #rows = 0;
  #keptRows = 0;
  #rowBytes = 0;
  /** Bytes of a COPY's header that are to come, and those in the row under way. */
  #header = 0;
  #headerInRow = 0;
  #columns = 0;
  #flags = 0;
  #sentUs = -1;

  /** @param maxBytes what is kept of a statement's answer; rows behind it are hashed up to as many bytes more, which costs no more than to hash the first ones did. */
  constructor(maxBytes: number) {
    this.#maxBytes = this.#room = maxBytes;
    this.#rest = new RowHash(maxBytes);
  }

  /** Another bound, in bytes; set between transactions. */
  set maxBytes(bytes: number) {
    this.#maxBytes = this.#room = bytes;
    this.#rest.maxBytes = bytes;
  }

  /** `answerLength` bytes of answers, until {@linkcode ReplyDigest.drain}. */
  get answer(): Uint8Array<ArrayBuffer> {
    return this.#answer.bytes;
  }

  get answerLength(): number {
    return this.#answer.length;
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

  /** The entries and the answers were taken; a statement under way goes on. */
  drain(): void {
    this.statements = this.#answer.length = 0;
    this.full = false;
  }

  /** Forgets the entries, and what is known of a statement under way. */
  clear(): void {
    this.drain();
    this.#begin();
  }

  /** No reply is to come for now: the entries, which were taken, give back their room. */
  rest(): void {
    this.statements = 0;
    this.full = false;
    this.#entries.rest();
    this.#answer.rest();
    this.#body.rest();
  }

  /** Memory that a reply has taken, and that lasts. */
  get heldBytes(): number {
    return this.#entries.heldBytes + this.#answer.bytes.length +
      this.#body.heldBytes;
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
        if (this.#isCut && this.#rest.full) {
          if (!framer.finished) return;
          // Most rows of a large result: they are counted, and no more.
          this.#rows++;
          this.#rowBytes += framer.bodyLength;
          return;
        }
        this.#take(framer, chunk, from, to, from);
        if (framer.finished) this.#endRow(framer.bodyLength);
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
        return this.#describe(framer, chunk, from, to);
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
        this.#take(framer, chunk, from, to, from);
        if (!framer.finished) return;
        this.#endRow(framer.bodyLength);
        this.#end(s.KIND_FUNCTION, 0, 0, elapsedUs);
    }
  }

  /** ReadyForQuery: a description that nothing was executed for becomes an entry. */
  cycleEnded(elapsedUs: number): void {
    const isOpen = (this.#flags & s.FLAG_ROWS) !== 0 || this.#rows > 0 ||
      this.#answerBytes > 0;
    if (isOpen) this.#end(s.KIND_DESCRIBED, 0, 0, elapsedUs);
    else this.#begin();
  }

  /** Takes a piece of a message that the answer keeps if it has room, and that is hashed from `hashedFrom` on if not. */
  #take(
    framer: Framer,
    chunk: Uint8Array,
    from: number,
    to: number,
    hashedFrom: number,
  ): void {
    if (framer.started) this.#keepIfRoom(framer);
    if (!this.#isKept) return this.#rest.add(chunk, hashedFrom, to);
    this.#answer.add(chunk, from, to);
    if (this.#answer.length >= MAX_ANSWER_BYTES) this.full = true;
  }

  #keepIfRoom({ type, bodyLength }: Framer): void {
    const size = HEADER_BYTES + bodyLength;
    this.#isCut ||= size > this.#room;
    this.#isKept = !this.#isCut;
    if (this.#isCut) return;
    this.#room -= size;
    this.#answerBytes += size;
    this.#answer.header(type, bodyLength);
  }

  /** A row, of `bytes` bytes in all, is over. */
  #endRow(bytes: number): void {
    this.#rows++;
    this.#rowBytes += bytes;
    if (this.#isKept) this.#keptRows++;
    else this.#rest.end(bytes);
  }

  #describe(framer: Framer, chunk: Uint8Array, from: number, to: number): void {
    if (framer.started) {
      this.#keepIfRoom(framer);
      this.#description.begin();
    }
    if (this.#isKept) this.#answer.add(chunk, from, to);
    else this.#description.add(chunk, from, to);
    if (!framer.finished) return;
    this.#columns = this.#isKept ? 0 : this.#description.value;
    this.#flags |= s.FLAG_ROWS;
  }

  /** A row of a COPY. The binary format's header travels in the first one, whichever that is, and is no part of it. */
  #copyData(framer: Framer, chunk: Uint8Array, from: number, to: number): void {
    const header = Math.min(this.#header, to - from);
    this.#header -= header;
    this.#headerInRow += header;
    this.#take(framer, chunk, from, to, from + header);
    if (!framer.finished) return;
    const bytes = framer.bodyLength - this.#headerInRow;
    if (bytes > 0 || this.#headerInRow === 0) this.#endRow(bytes);
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
      const tag = tagHashAt(bytes, from, to);
      const count = tagCountAt(bytes, from, to);
      return this.#end(s.KIND_COMPLETE, 0, tag, elapsedUs, count);
    }
    if (this.#maxBytes > 0 && to - from <= ERROR_BYTES) {
      this.#answer.header(type, to - from);
      this.#answer.add(bytes, from, to);
      this.#answerBytes += HEADER_BYTES + to - from;
    }
    const body = bytes.subarray(from, to);
    if (isFatal(body, body.length)) this.#flags |= s.FLAG_FATAL;
    this.#end(s.KIND_ERROR, sqlstateOf(body, body.length), 0, elapsedUs);
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
    const rest = this.#rest;
    if (this.#rows > 0) this.#flags |= s.FLAG_ROWS;
    if (this.#keptRows < this.#rows) this.#flags |= s.FLAG_CUT;
    words[at + s.STATEMENT_KIND] = kind | this.#flags;
    words[at + s.STATEMENT_SQLSTATE] = sqlstate;
    words[at + s.STATEMENT_TAG] = tag;
    words[at + s.STATEMENT_ROWS] = this.#rows || count;
    words[at + s.STATEMENT_COLUMNS] = this.#columns;
    words[at + s.STATEMENT_ORDERED] = rest.orderedA;
    words[at + s.STATEMENT_ORDERED + 1] = rest.orderedB;
    words[at + s.STATEMENT_UNORDERED] = rest.unorderedA;
    words[at + s.STATEMENT_UNORDERED + 1] = rest.unorderedB;
    words[at + s.STATEMENT_HASHED_ROWS] = rest.hashedRows;
    words[at + s.STATEMENT_SENT] = Math.min(this.#sentUs, MAX_WORD);
    words[at + s.STATEMENT_COMPLETE] = Math.min(elapsedUs, MAX_WORD);
    words[at + s.STATEMENT_ANSWER] = this.#answerBytes;
    words[at + s.STATEMENT_KEPT_ROWS] = this.#keptRows;
    words[at + s.STATEMENT_ROW_BYTES] = this.#rowBytes;
    words[at + s.STATEMENT_ROW_BYTES + 1] = this.#rowBytes / TWO_32;
    this.statements++;
    if (
      this.statements >= MAX_STATEMENTS ||
      this.#answer.length >= MAX_ANSWER_BYTES
    ) this.full = true;
    this.#begin();
  }

  #begin(): void {
    if (this.#isCut) this.#rest.reset();
    this.#room = this.#maxBytes;
    this.#isCut = this.#isKept = false;
    this.#answerBytes =
      this.#rows =
      this.#keptRows =
      this.#rowBytes =
        0;
    this.#columns = this.#flags = this.#header = 0;
    this.#sentUs = -1;
  }
}
