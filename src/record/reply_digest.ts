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
  lengthAt,
  PORTAL_SUSPENDED,
  ROW_DESCRIPTION,
  sqlstate,
  sqlstateOf,
} from "../wire/mod.ts";
import { ColumnsHash } from "./columns_hash.ts";
import { RowHash } from "./row_hash.ts";
import { MAX_WORD, STATEMENT_WORDS } from "./record.ts";
import type { Copyable } from "./viewed_bytes.ts";
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
  get answer(): Uint8Array {
    return this.#answer.bytes;
  }

  /** Copies the answers. */
  copyAnswer(to: Copyable, at: number): void {
    this.#answer.copyTo(to, at);
  }

  /** The chunk that was taken last will be written to again. */
  settle(): void {
    this.#answer.settle();
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
    this.statements = 0;
    this.#answer.clear();
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
    return this.#entries.heldBytes + this.#answer.heldBytes +
      this.#body.heldBytes;
  }

  /**
   * Takes of `chunk[from, to)`, where a message begins, a description and rows
   * that are there whole and are kept, or rows that are only counted: of most
   * replies all that is long, in one copy. The rest is for {@linkcode
   * ReplyDigest.step}.
   *
   * @returns where that begins.
   */
  whole(chunk: Uint8Array, from: number, to: number): number {
    const isCut = this.#isCut;
    if (isCut && !this.#rest.full) return from;
    const end = isCut ? to : Math.min(to, from + this.#room);
    const isDescribed = chunk[from] === ROW_DESCRIPTION && !isCut;
    const firstRow = isDescribed ? wholeEnd(chunk, from, end) : from;
    let at = firstRow;
    let rows = 0;
    while (chunk[at] === DATA_ROW) {
      const next = wholeEnd(chunk, at, end);
      if (next === at) break;
      at = next;
      rows++;
    }
    const taken = at - from;
    if (taken === 0) return at;
    if (this.#sentUs < 0) this.#sentUs = this.sentUs;
    this.#flags |= s.FLAG_ROWS;
    this.#rows += rows;
    this.#rowBytes += at - firstRow - rows * HEADER_BYTES;
    if (isCut) return at;
    this.#keptRows += rows;
    this.#answerBytes += taken;
    this.#room -= taken;
    this.#answer.add(chunk, from, at);
    if (this.#answer.length >= MAX_ANSWER_BYTES) this.full = true;
    return at;
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
    if (this.#keep(framer, chunk, from, to)) return;
    this.#rest.add(chunk, hashedFrom, to);
  }

  /** The answer keeps a piece of a message that it has room for. */
  #keep(framer: Framer, chunk: Uint8Array, from: number, to: number): boolean {
    let begin = from;
    if (framer.started) {
      const size = HEADER_BYTES + framer.bodyLength;
      this.#isCut ||= size > this.#room;
      this.#isKept = !this.#isCut;
      if (this.#isKept) {
        this.#room -= size;
        this.#answerBytes += size;
        // Nearly always the header stands in front of the body.
        if (from >= HEADER_BYTES) begin -= HEADER_BYTES;
        else this.#answer.header(framer.type, framer.bodyLength);
      }
    }
    if (!this.#isKept) return false;
    this.#answer.add(chunk, begin, to);
    if (this.#answer.length >= MAX_ANSWER_BYTES) this.full = true;
    return true;
  }

  /** A row, of `bytes` bytes in all, is over. */
  #endRow(bytes: number): void {
    this.#rows++;
    this.#rowBytes += bytes;
    if (this.#isKept) this.#keptRows++;
    else this.#rest.end(bytes);
  }

  #describe(framer: Framer, chunk: Uint8Array, from: number, to: number): void {
    this.#flags |= s.FLAG_ROWS;
    if (framer.started) this.#description.begin();
    if (this.#keep(framer, chunk, from, to)) return;
    this.#description.add(chunk, from, to);
    if (framer.finished) this.#columns = this.#description.value;
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
      // They may be a collector's, which the next message may overwrite.
      this.#answer.settle();
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

/** Where the message at `at` ends; `at` itself if that is beyond `end`, or nothing that can be cut. */
function wholeEnd(chunk: Uint8Array, at: number, end: number): number {
  if (end - at < HEADER_BYTES) return at;
  const size = 1 + lengthAt(chunk, at + 1);
  return size < HEADER_BYTES || size > end - at ? at : at + size;
}
