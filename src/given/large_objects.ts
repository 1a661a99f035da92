import { readAnswer, type Reply } from "../judge/mod.ts";
import { KIND_FUNCTION, KIND_MASK, STATEMENT_KIND } from "../record/mod.ts";
import { FUNCTION_CALL } from "../wire/mod.ts";

/** OIDs of functions (catalog/pg_proc.dat): the server chooses an OID … */
const LO_CREAT = 957;
/** … and the caller does, with 0 the server again. */
const LO_CREATE = 715;
const BINARY = 1;
/** Of a FunctionCall with one argument in four bytes (manual, "Message Formats"), behind its type and length. */
const FUNCTION_AT = 5;
const FORMATS_AT = 9;
const FORMAT_AT = 11;
const COUNT_AT = 13;
const SIZE_AT = 15;
const VALUE_AT = 19;
const RESULT_FORMAT_AT = 23;
const CALL_BYTES = 25;
const OID_BYTES = 4;

/**
 * A cycle that makes a large object, as libpq and JDBC do, so that it gets the
 * OID that it has on the primary: the client names it by that.
 *
 * @param reply the primary's to the cycle's first result.
 * @returns `bytes` itself if it makes none, or the primary has made none.
 */
export function withLargeObject(
  bytes: Uint8Array<ArrayBuffer>,
  reply: () => Reply | undefined,
): Uint8Array<ArrayBuffer> {
  if (bytes[0] !== FUNCTION_CALL || bytes.length !== CALL_BYTES) return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const name = view.getUint32(FUNCTION_AT);
  const makes = name === LO_CREAT ||
    name === LO_CREATE && view.getUint32(VALUE_AT) === 0;
  const isPlain = view.getUint16(FORMATS_AT) === 1 &&
    view.getUint16(FORMAT_AT) === BINARY &&
    view.getUint16(COUNT_AT) === 1 &&
    view.getInt32(SIZE_AT) === OID_BYTES &&
    view.getUint16(RESULT_FORMAT_AT) === BINARY;
  const oid = makes && isPlain ? madeObject(reply()) : undefined;
  if (oid === undefined) return bytes;
  const written = bytes.slice();
  const target = new DataView(written.buffer);
  target.setUint32(FUNCTION_AT, LO_CREATE);
  target.setUint32(VALUE_AT, oid);
  return written;
}

/** What a FunctionCallResponse tells, if it is an OID in binary. */
function madeObject(reply: Reply | undefined): number | undefined {
  const kind = reply?.words[reply.at + STATEMENT_KIND] ?? 0;
  if (reply === undefined || (kind & KIND_MASK) !== KIND_FUNCTION) {
    return undefined;
  }
  const [body] = readAnswer(reply.answer).rows;
  if (body?.length !== 2 * OID_BYTES) return undefined;
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  return view.getInt32(0) === OID_BYTES ? view.getUint32(OID_BYTES) : undefined;
}
