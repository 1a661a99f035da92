import { HASH_SEED, hashByte } from "./statement.ts";

/** Object identifiers from here on are a database's own (FirstNormalObjectId in access/transam.h): they differ between servers. */
const FIRST_OWN_OID = 16_384;

/**
 * Hashes a RowDescription body, `bytes[from, to)`: names, types and formats.
 * Table OIDs and column numbers differ between servers that are alike, and so
 * do the OIDs of types that users have made: they are left out.
 *
 * @returns never 0.
 */
export function columnsHash(
  bytes: Uint8Array,
  from: number,
  to: number,
): number {
  let hash = HASH_SEED;
  let at = from + 2;
  while (at < to) {
    while (at < to && bytes[at] !== 0) {
      hash = hashByte(hash, bytes[at++] as number);
    }
    // Behind the name: table OID, column (6 bytes), type OID, size, modifier, format.
    if (at + 19 > to) break;
    hash = hashByte(hash, 0);
    hash = hashType(hash, bytes, at + 7);
    hash = hashByte(hash, bytes[at + 18] as number);
    at += 19;
  }
  return (hash >>> 0) || 1;
}

function hashType(hash: number, bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  const low = ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
  const oid = high === 0 && low < FIRST_OWN_OID ? low : FIRST_OWN_OID;
  return hashByte(hashByte(hash, oid & 0xff), oid >>> 8);
}
