/**
 * What is kept of the reply to one statement: {@linkcode STATEMENT_WORDS}
 * 32-bit words, made the same way from the primary's bytes and the mirror's.
 *
 * @module
 */

export const STATEMENT_WORDS = 6;

/** One of the `KIND_*` values. */
export const STATEMENT_KIND = 0;
/** Packed SQLSTATE, 0 if there was no error. */
export const STATEMENT_SQLSTATE = 1;
/** Hash of the command tag without its row count. */
export const STATEMENT_TAG = 2;
/** Rows returned or, for a command without rows, the tag's row count; stops at 2^32 - 1. */
export const STATEMENT_ROWS = 3;
/** Microseconds from the cycle's last client byte to the reply's first byte. */
export const STATEMENT_FIRST_BYTE = 4;
/** Microseconds from the cycle's last client byte to the statement's end. */
export const STATEMENT_COMPLETE = 5;

/** The message that ended the statement. */
export const KIND_COMPLETE = 1;
export const KIND_EMPTY = 2;
export const KIND_ERROR = 3;
export const KIND_SUSPENDED = 4;
export const KIND_FUNCTION = 5;
