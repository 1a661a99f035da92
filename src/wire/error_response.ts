import { ERROR_RESPONSE, NOTICE_RESPONSE } from "./codes.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Fields of an ErrorResponse by their one-letter type ("Error and Notice Message Fields"). */
export type ErrorFields = Readonly<Record<string, string>>;

/** Encodes an ErrorResponse of ours. */
export function encodeErrorResponse(
  severity: "ERROR" | "FATAL" | "NOTICE",
  sqlstate: string,
  message: string,
  more: ErrorFields = {},
): Uint8Array<ArrayBuffer> {
  const fields = { S: severity, V: severity, C: sqlstate, M: message, ...more };
  const body = encoder.encode(
    Object.entries(fields).map(([type, value]) => `${type}${value}\0`).join(
      "",
    ) +
      "\0",
  );
  const bytes = new Uint8Array(5 + body.length);
  bytes[0] = ERROR_RESPONSE;
  new DataView(bytes.buffer).setInt32(1, 4 + body.length);
  bytes.set(body, 5);
  return bytes;
}

/**
 * Encodes a fatal error as protocols 1 and 2 had it: the letter, text and a zero
 * byte, no length (PostgreSQL's elog.c, send_message_to_frontend).
 */
export function encodeFatalBeforeV3(message: string): Uint8Array<ArrayBuffer> {
  const text = `FATAL:  ${message}\n\0`;
  return encoder.encode(String.fromCharCode(ERROR_RESPONSE) + text);
}

/** Encodes a NoticeResponse of ours: the same fields, another letter. */
export function encodeNotice(message: string): Uint8Array<ArrayBuffer> {
  const bytes = encodeErrorResponse("NOTICE", "00000", message);
  bytes[0] = NOTICE_RESPONSE;
  return bytes;
}

/** Decodes the fields of an ErrorResponse body; what is cut off is left out. */
export function decodeErrorFields(body: Uint8Array): ErrorFields {
  const fields: Record<string, string> = {};
  let at = 0;
  while (at < body.length && body[at] !== 0) {
    const end = body.indexOf(0, at + 1);
    if (end < 0) break;
    fields[String.fromCharCode(body[at] as number)] = decoder.decode(
      body.subarray(at + 1, end),
    );
    at = end + 1;
  }
  return fields;
}
