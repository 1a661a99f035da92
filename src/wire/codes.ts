/**
 * Message types and constants of the PostgreSQL frontend/backend protocol 3.
 * Source: PostgreSQL manual, chapter "Message Formats", and
 * src/include/libpq/protocol.h.
 *
 * @module
 */

// Frontend messages.
export const BIND = 0x42; // B
export const CLOSE = 0x43; // C
export const COPY_DATA = 0x64; // d, both directions
export const COPY_DONE = 0x63; // c, both directions
export const COPY_FAIL = 0x66; // f
export const DESCRIBE = 0x44; // D
export const EXECUTE = 0x45; // E
export const FLUSH = 0x48; // H
export const FUNCTION_CALL = 0x46; // F
export const PARSE = 0x50; // P
export const PASSWORD = 0x70; // p: password, SASL and GSS responses
export const QUERY = 0x51; // Q
export const SYNC = 0x53; // S
export const TERMINATE = 0x58; // X

// Backend messages.
export const AUTHENTICATION = 0x52; // R
export const BACKEND_KEY_DATA = 0x4b; // K
export const BIND_COMPLETE = 0x32; // 2
export const CLOSE_COMPLETE = 0x33; // 3
export const COMMAND_COMPLETE = 0x43; // C
export const COPY_BOTH_RESPONSE = 0x57; // W
export const COPY_IN_RESPONSE = 0x47; // G
export const COPY_OUT_RESPONSE = 0x48; // H
export const DATA_ROW = 0x44; // D
export const EMPTY_QUERY_RESPONSE = 0x49; // I
export const ERROR_RESPONSE = 0x45; // E
export const FUNCTION_CALL_RESPONSE = 0x56; // V
export const NEGOTIATE_PROTOCOL_VERSION = 0x76; // v
export const NO_DATA = 0x6e; // n
export const NOTICE_RESPONSE = 0x4e; // N
export const NOTIFICATION_RESPONSE = 0x41; // A
export const PARAMETER_DESCRIPTION = 0x74; // t
export const PARAMETER_STATUS = 0x53; // S
export const PARSE_COMPLETE = 0x31; // 1
export const PORTAL_SUSPENDED = 0x73; // s
export const READY_FOR_QUERY = 0x5a; // Z
export const ROW_DESCRIPTION = 0x54; // T

// Authentication requests: the int32 that follows the header of `R`.
export const AUTH_OK = 0;
export const AUTH_CLEARTEXT_PASSWORD = 3;
export const AUTH_MD5_PASSWORD = 5;
export const AUTH_SASL = 10;
export const AUTH_SASL_CONTINUE = 11;
export const AUTH_SASL_FINAL = 12;

// Transaction status of ReadyForQuery.
export const IDLE = 0x49; // I
export const IN_TRANSACTION = 0x54; // T
export const FAILED_TRANSACTION = 0x45; // E

// Codes that stand where a startup packet has its protocol version.
export const PROTOCOL_3_0 = 196608;
export const PROTOCOL_MAJOR = 3;
export const CANCEL_REQUEST = 80877102;
export const SSL_REQUEST = 80877103;
export const GSSENC_REQUEST = 80877104;

/** Longest startup packet that PostgreSQL takes (MAX_STARTUP_PACKET_LENGTH). */
export const MAX_STARTUP_BYTES = 10_000;

/** Bytes of a message's header: the type and the int32 length. */
export const HEADER_BYTES = 5;
