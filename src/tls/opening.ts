/**
 * What the TLS worker tells of a client's connection on the plaintext pair,
 * once its handshake is done and before its first byte: the length of the
 * certificate's hash, the hash, and zeros. It is told of each connection, and
 * not in the settings, because certificates are replaced while connections
 * begin: only who made the handshake knows which one the client was shown.
 *
 * @module
 */

/** SHA-512's, in bytes. */
const MAX_HASH_BYTES = 64;
export const OPENING_BYTES = 1 + MAX_HASH_BYTES;

/** @param hash undefined: this certificate can't be bound to. */
export function encodeOpening(
  hash: Uint8Array | undefined,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(OPENING_BYTES);
  if (hash === undefined) return bytes;
  bytes[0] = hash.length;
  bytes.set(hash, 1);
  return bytes;
}

/** The hash in an opening; undefined: this certificate can't be bound to. */
export function decodeOpening(
  opening: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> | undefined {
  const length = opening[0] ?? 0;
  return length === 0 ? undefined : opening.slice(1, 1 + length);
}
