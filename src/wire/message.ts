import { concat } from "./bytes.ts";
import { HEADER_BYTES } from "./codes.ts";

const encoder = new TextEncoder();

/** A message with the type byte `type`, whose body consists of these parts. */
export function messageOf(
  type: number,
  ...parts: readonly (Uint8Array | string)[]
): Uint8Array<ArrayBuffer> {
  const body = parts.map((part) =>
    typeof part === "string" ? encoder.encode(part) : part
  );
  const message = concat([new Uint8Array(HEADER_BYTES), ...body]);
  message[0] = type;
  new DataView(message.buffer).setUint32(1, message.length - 1);
  return message;
}
