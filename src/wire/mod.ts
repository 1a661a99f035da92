/**
 * The PostgreSQL frontend/backend protocol: codes, cutting, and the few
 * messages that a proxy opens.
 *
 * @module
 */

export { byteText, concat, isEqual } from "./bytes.ts";
export * from "./codes.ts";
export { Collector } from "./collector.ts";
export { COMPLETES } from "./completes.ts";
export {
  decodeErrorFields,
  encodeErrorResponse,
  encodeFatalBeforeV3,
  encodeNotice,
  type ErrorFields,
} from "./error_response.ts";
export { Framer, lengthAt } from "./framer.ts";
export { messageOf } from "./message.ts";
export { PROTOCOL_VIOLATION, ProtocolError } from "./protocol_error.ts";
export { Reader } from "./reader.ts";
export * from "./sqlstate.ts";
export * from "./startup_message.ts";
export { Writer, WriterFullError, type WriterOptions } from "./writer.ts";
export { md5Password } from "./md5.ts";
