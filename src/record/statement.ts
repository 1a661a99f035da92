/**
 * What is kept of the reply to one statement: {@linkcode STATEMENT_WORDS}
 * 32-bit words, made the same way from the primary's bytes and the mirror's.
 *
 * @module
 */

/** One of the `KIND_*` values, with `FLAG_*` bits. */
export const STATEMENT_KIND = 0;
/** Packed SQLSTATE, 0 if there was no error. */
export const STATEMENT_SQLSTATE = 1;
/** Hash of the command tag without its numbers: see {@linkcode tagHash}. */
export const STATEMENT_TAG = 2;
/** Rows returned or, for a command without rows, the tag's row count; stops at 2^32 - 1. */
export const STATEMENT_ROWS = 3;
/** Hash of the columns' names, types and formats; 0 if none were described, or the description stands in the answer. */
export const STATEMENT_COLUMNS = 4;
/** Two lanes of a hash over the rows behind those in the answer, in their order. */
export const STATEMENT_ORDERED = 5;
/** Two lanes of a hash over the same rows in any order. */
export const STATEMENT_UNORDERED = 7;
/** Rows that the hashes cover: those behind the answer, up to the same bound once more. */
export const STATEMENT_HASHED_ROWS = 9;
/** Microseconds from the cycle's start to the last client byte before the reply: more than 0 if the server was made to answer before the cycle was whole. */
export const STATEMENT_SENT = 10;
/** Microseconds from the cycle's start to the statement's end; both stop at 2^32 - 1. */
export const STATEMENT_COMPLETE = 11;
/** Bytes of the statement's messages in the record's answers. */
export const STATEMENT_ANSWER = 12;
/** Rows that stand in the answer: the first ones. */
export const STATEMENT_KEPT_ROWS = 13;
/** Bytes of all rows, without their headers: 64 bits, low word first. */
export const STATEMENT_ROW_BYTES = 14;

/** The message that ended the statement. */
export const KIND_COMPLETE = 1;
export const KIND_EMPTY = 2;
export const KIND_ERROR = 3;
export const KIND_SUSPENDED = 4;
export const KIND_FUNCTION = 5;
/** A description without an execution, ended by ReadyForQuery. */
export const KIND_DESCRIBED = 6;
export const KIND_MASK = 0xff;
/** Rows were described or sent. */
export const FLAG_ROWS = 0x100;
/** The statement read copy data from the client. */
export const FLAG_COPY_IN = 0x200;
/** The error's severity was above ERROR. */
export const FLAG_FATAL = 0x400;
/** Rows came that do not stand in the answer: the bound was reached. */
export const FLAG_CUT = 0x800;

/** FNV-1a, the hash of everything here that is not rows. */
export const HASH_SEED = 0x811c9dc5;
const HASH_PRIME = 0x01000193;

/** One step of FNV-1a. */
export function hashByte(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, HASH_PRIME);
}

/** The hash that a command tag such as `"INSERT"` or `"CREATE TABLE"` has in {@linkcode STATEMENT_TAG}. */
export function tagHash(tag: string): number {
  let hash = HASH_SEED;
  for (const byte of new TextEncoder().encode(tag)) hash = hashByte(hash, byte);
  return hash >>> 0;
}
