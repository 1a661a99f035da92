import { PROTOCOL_3_0 } from "./codes.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** A decoded StartupMessage (manual, "Message Formats"). */
export interface StartupMessage {
  /** The protocol version as sent: major in the high half, minor in the low. */
  readonly protocol: number;
  /** Parameters in the order sent, repeated names kept. */
  readonly parameters: readonly (readonly [name: string, value: string])[];
}

/** A startup packet that PostgreSQL would not accept either. */
export class StartupError extends Error {
  override name = "StartupError";
}

/**
 * Decodes the packet after its length word: version, then name and value
 * strings, then one zero byte.
 *
 * @throws {StartupError} naming what is short or missing.
 */
export function decodeStartupMessage(body: Uint8Array): StartupMessage {
  if (body.length < 5) throw new StartupError("Startup packet is too short");
  const protocol = new DataView(body.buffer, body.byteOffset).getInt32(0);
  const parameters: [string, string][] = [];
  let at = 4;
  while (body[at] !== 0) {
    const name = string();
    parameters.push([name, string()]);
  }
  if (at !== body.length - 1) {
    throw new StartupError(
      "Invalid startup packet layout: expected terminator as last byte",
    );
  }
  return { protocol, parameters };

  function string(): string {
    const end = body.indexOf(0, at);
    if (end < 0) throw new StartupError("Startup packet has an open string");
    const text = decoder.decode(body.subarray(at, end));
    at = end + 1;
    return text;
  }
}

/** The last value sent for `name`, as PostgreSQL takes it. */
export function startupParameter(
  message: StartupMessage,
  name: string,
): string | undefined {
  return message.parameters.findLast(([key]) => key === name)?.[1];
}

/** Encodes a startup packet with its length word. */
export function encodeStartupMessage(
  parameters: StartupMessage["parameters"],
  protocol = PROTOCOL_3_0,
): Uint8Array<ArrayBuffer> {
  const text = encoder.encode(parameters.flat().map((s) => `${s}\0`).join(""));
  const bytes = new Uint8Array(8 + text.length + 1);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, bytes.length);
  view.setInt32(4, protocol);
  bytes.set(text, 8);
  return bytes;
}
