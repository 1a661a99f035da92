import { HASH_SEED, hashByte } from "./statement.ts";

/** Object identifiers from here on are a database's own (FirstNormalObjectId in access/transam.h): they differ between servers. */
const FIRST_OWN_OID = 16_384;

/**
 * Hashes a RowDescription body: names, types and formats. Table OIDs and
 * column numbers differ between servers that are alike, and so do the OIDs of
 * types that users have made: they are left out.
 *
 * @returns never 0.
 */
export function columnsHash(body: Uint8Array, length: number): number {
  let hash = HASH_SEED;
  const view = new DataView(body.buffer, body.byteOffset, length);
  let at = 2;
  while (at < length) {
    while (at < length && body[at] !== 0) {
      hash = hashByte(hash, body[at++] as number);
    }
    // Behind the name: table OID, column (6 bytes), type OID, size, modifier, format.
    if (at + 19 > length) break;
    hash = hashByte(hash, 0);
    const type = view.getUint32(at + 7);
    hash = hashWord(hash, type < FIRST_OWN_OID ? type : FIRST_OWN_OID);
    hash = hashByte(hash, body[at + 18] as number);
    at += 19;
  }
  return (hash >>> 0) || 1;
}

function hashWord(hash: number, word: number): number {
  let h = hash;
  for (let shift = 0; shift < 32; shift += 8) {
    h = hashByte(h, (word >>> shift) & 0xff);
  }
  return h;
}
