import { tagHash } from "./statement.ts";

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
