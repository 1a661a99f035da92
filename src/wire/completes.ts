import {
  BIND_COMPLETE,
  CLOSE_COMPLETE,
  COMMAND_COMPLETE,
  EMPTY_QUERY_RESPONSE,
  FUNCTION_CALL_RESPONSE,
  NO_DATA,
  PARSE_COMPLETE,
  PORTAL_SUSPENDED,
  ROW_DESCRIPTION,
} from "./codes.ts";

/**
 * By type 1 for the server's messages that complete one of the client's: one
 * of these answers each Parse, Bind, Describe, Close, Execute and FunctionCall
 * that succeeds.
 */
export const COMPLETES = new Uint8Array(256);
for (
  const type of [
    PARSE_COMPLETE,
    BIND_COMPLETE,
    CLOSE_COMPLETE,
    ROW_DESCRIPTION,
    NO_DATA,
    COMMAND_COMPLETE,
    EMPTY_QUERY_RESPONSE,
    FUNCTION_CALL_RESPONSE,
    PORTAL_SUSPENDED,
  ]
) COMPLETES[type] = 1;
