import { MAX_WORD } from "./record.ts";
import { HASH_SEED, hashByte, tagHash } from "./statement.ts";

/** Command tags that change data or definitions (manual, CommandComplete; tcop/cmdtaglist.h). */
const WRITING = [
  "INSERT",
  "UPDATE",
  "DELETE",
  "MERGE",
  "SELECT INTO",
  "CREATE TABLE AS",
  "TRUNCATE TABLE",
  "REFRESH MATERIALIZED VIEW",
  "CREATE TABLE",
  "CREATE INDEX",
  "CREATE VIEW",
  "CREATE FUNCTION",
  "CREATE SCHEMA",
  "CREATE SEQUENCE",
  "CREATE TYPE",
  "ALTER TABLE",
  "ALTER INDEX",
  "ALTER SEQUENCE",
  "ALTER TYPE",
  "DROP TABLE",
  "DROP INDEX",
  "DROP VIEW",
  "DROP FUNCTION",
  "DROP SCHEMA",
  "DROP SEQUENCE",
  "DROP TYPE",
  "COMMIT PREPARED",
  "CALL",
  "DO",
];
const OTHERS = [
  "SELECT",
  "FETCH",
  "MOVE",
  "COPY",
  "BEGIN",
  "START TRANSACTION",
  "COMMIT",
  "ROLLBACK",
  "SAVEPOINT",
  "RELEASE",
  "SET",
  "RESET",
  "SHOW",
  "PREPARE",
  "DEALLOCATE",
  "DISCARD ALL",
  "DECLARE CURSOR",
  "CLOSE CURSOR",
  "EXPLAIN",
  "LOCK TABLE",
  "LISTEN",
  "UNLISTEN",
  "NOTIFY",
  "VACUUM",
  "ANALYZE",
];

const WRITING_HASHES = new Set(WRITING.map(tagHash));
const TEXTS = new Map(
  [...WRITING, ...OTHERS].map((tag) => [tagHash(tag), tag]),
);

/** Whether the tag with this hash says that something was written. */
export function isWritingTag(hash: number): boolean {
  return WRITING_HASHES.has(hash);
}

/** The tag with this hash, if it is a usual one. */
export function tagText(hash: number): string | null {
  return TEXTS.get(hash) ?? null;
}

/**
 * The hash of the tag at `[from, to)`, without the numbers at its end. A tag is
 * `SELECT 5`, `INSERT 0 1`, `BEGIN`: words, then perhaps a row count, then 0.
 */
export function tagHashAt(bytes: Uint8Array, from: number, to: number): number {
  let end = to;
  while (end > from && isNoWord(bytes[end - 1] as number)) end--;
  let hash = HASH_SEED;
  for (let i = from; i < end; i++) hash = hashByte(hash, bytes[i] as number);
  return hash >>> 0;
}

function isNoWord(byte: number): boolean {
  return byte <= NINE && (byte >= ZERO || byte === SPACE || byte === 0);
}

/** The row count of the same tag, its last number: that before it (INSERT) is an OID. 0: it has none; stops at 2^32 - 1. */
export function tagCountAt(
  bytes: Uint8Array,
  from: number,
  to: number,
): number {
  let i = to - 1;
  if (bytes[i] === 0) i--;
  let count = 0;
  for (let unit = 1; i >= from; i--, unit *= 10) {
    const byte = bytes[i] as number;
    if (byte < ZERO || byte > NINE) break;
    count += unit * (byte - ZERO);
  }
  return Math.min(count, MAX_WORD);
}

const SPACE = 0x20;
const ZERO = 0x30;
const NINE = 0x39;
