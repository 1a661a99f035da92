import {
  CANCEL_REQUEST,
  GSSENC_REQUEST,
  MAX_STARTUP_BYTES,
  PROTOCOL_MAJOR,
  SSL_REQUEST,
} from "../wire/mod.ts";

/** What the first packets of a connection ask for. */
export type StartupRequest =
  /** More bytes are needed. */
  | { kind: "incomplete" }
  /** SSLRequest or GSSENCRequest: answer one byte, then go on after `length` bytes. */
  | { kind: "encryption"; length: number }
  | { kind: "cancel"; length: number }
  | { kind: "startup"; length: number }
  /** Not a PostgreSQL client; close without a word, as PostgreSQL does. */
  | { kind: "junk" }
  /** A protocol version that nobody speaks. */
  | { kind: "version"; major: number; minor: number };

/**
 * Reads the head of `bytes`: int32 length, int32 code (manual, "Message
 * Formats": StartupMessage, SSLRequest, GSSENCRequest, CancelRequest).
 */
export function readStartupRequest(bytes: Uint8Array): StartupRequest {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 4) return { kind: "incomplete" };
  const length = view.getInt32(0);
  if (length < 8 || length > MAX_STARTUP_BYTES) return { kind: "junk" };
  if (bytes.length < 8) return { kind: "incomplete" };
  const code = view.getInt32(4);
  if (code === SSL_REQUEST || code === GSSENC_REQUEST) {
    return length === 8 ? { kind: "encryption", length } : { kind: "junk" };
  }
  const major = code >>> 16;
  // The special codes have major version 1234.
  if (code !== CANCEL_REQUEST && major !== PROTOCOL_MAJOR) {
    return { kind: "version", major, minor: code & 0xffff };
  }
  if (bytes.length < length) return { kind: "incomplete" };
  return { kind: code === CANCEL_REQUEST ? "cancel" : "startup", length };
}

/**
 * The startup packet with other values for the parameters named. Only their
 * bytes change: names and values may be in any encoding.
 */
export function withParameters(
  packet: Uint8Array<ArrayBuffer>,
  parameters: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const name = new TextEncoder().encode(
    Object.entries(parameters).flat().map((text) => `${text}\0`).join(""),
  );
  const parts: Uint8Array[] = [];
  let at = 8;
  while (packet[at] !== 0) {
    const valueAt = packet.indexOf(0, at) + 1;
    const next = packet.indexOf(0, valueAt) + 1;
    const key = new TextDecoder().decode(packet.subarray(at, valueAt - 1));
    if (!Object.hasOwn(parameters, key)) parts.push(packet.subarray(at, next));
    at = next;
  }
  parts.push(name);
  const length = 8 + parts.reduce((sum, part) => sum + part.length, 0) + 1;
  const result = new Uint8Array(length);
  result.set(packet.subarray(0, 8));
  new DataView(result.buffer).setInt32(0, length);
  let to = 8;
  for (const part of parts) {
    result.set(part, to);
    to += part.length;
  }
  return result;
}
