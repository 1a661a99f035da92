import { HASH_SEED, hashByte } from "./statement.ts";

/** Object identifiers from here on are a database's own (FirstNormalObjectId in access/transam.h): they differ between servers. */
const FIRST_OWN_OID = 16_384;
/** In front of the columns: their number. */
const COUNT_BYTES = 2;
/** Behind a name: table OID, column, type OID, size, modifier, format. */
const BEHIND_NAME_BYTES = 18;
const TYPE_OID = 6;
const FORMAT = 17;

/**
 * Hashes a RowDescription body, of any length and in any pieces: names, types
 * and formats. Table OIDs and column numbers differ between servers that are
 * alike, and so do the OIDs of types that users have made: they are left out.
 */
export class ColumnsHash {
  #hash = HASH_SEED;
  /** Bytes to come before the next name. */
  #behindName = COUNT_BYTES;
  /** Of the column under way; -1: none is. */
  #oid = -1;

  /** Never 0. */
  get value(): number {
    return (this.#hash >>> 0) || 1;
  }

  begin(): void {
    this.#hash = HASH_SEED;
    this.#behindName = COUNT_BYTES;
    this.#oid = -1;
  }

  /** Takes a piece of the body, `chunk[from, to)`. */
  add(chunk: Uint8Array, from: number, to: number): void {
    let hash = this.#hash;
    let left = this.#behindName;
    let i = from;
    while (i < to) {
      if (left === 0) {
        let byte: number;
        do {
          byte = chunk[i++] as number;
          hash = hashByte(hash, byte);
        } while (byte !== 0 && i < to);
        if (byte === 0) left = BEHIND_NAME_BYTES;
      } else if (left === BEHIND_NAME_BYTES && to - i >= left) {
        // Nearly always it is here whole.
        hash = hashType(hash, oidAt(chunk, i + TYPE_OID));
        hash = hashByte(hash, chunk[i + FORMAT] as number);
        i += left;
        left = 0;
      } else {
        const byte = chunk[i++] as number;
        const at = BEHIND_NAME_BYTES - left--;
        if (at === TYPE_OID) this.#oid = byte;
        else if (at > TYPE_OID && at < TYPE_OID + 4) {
          this.#oid = this.#oid * 256 + byte;
        } else if (at === FORMAT && this.#oid >= 0) {
          hash = hashByte(hashType(hash, this.#oid), byte);
          this.#oid = -1;
        }
      }
    }
    this.#hash = hash;
    this.#behindName = left;
  }
}

function oidAt(chunk: Uint8Array, at: number): number {
  const high = ((chunk[at] as number) << 8) | (chunk[at + 1] as number);
  const low = ((chunk[at + 2] as number) << 8) | (chunk[at + 3] as number);
  return high * 0x1_0000 + low;
}

function hashType(hash: number, typeOid: number): number {
  const oid = Math.min(typeOid, FIRST_OWN_OID);
  return hashByte(hashByte(hash, oid & 0xff), oid >>> 8);
}
