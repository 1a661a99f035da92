/**
 * How a TLS connection to a server went, told on the plaintext pair before
 * anything else: one byte, and after a failure the reason up to the end of
 * stream.
 *
 * @module
 */

export const STATUS_OPEN = 0x53; // S
export const STATUS_FAILED = 0x45; // E
/** Bound of a reason in bytes. */
export const MAX_REASON_BYTES = 400;

const encoder = new TextEncoder();

/** The status of a failed connection. Names in certificates are a stranger's words: no control characters, and short. */
export function failedStatus(reason: string): Uint8Array<ArrayBuffer> {
  // deno-lint-ignore no-control-regex
  const text = reason.replaceAll(/[\x00-\x1f\x7f]/g, " ");
  const words = encoder.encode(text).subarray(0, MAX_REASON_BYTES);
  const bytes = new Uint8Array(1 + words.length);
  bytes[0] = STATUS_FAILED;
  bytes.set(words, 1);
  return bytes;
}

/** The reason in a failed status, without its first byte. */
export function reasonOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
