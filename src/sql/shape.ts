/** Why rows of a statement may differ without anybody's fault. */
export type NoiseRule = "volatile" | "sequence";

/** What a statement is, for `level` and for the order of replay. */
export type StatementKind = "read" | "dml" | "ddl" | "transaction" | "other";

/** What is known of all statements that differ in their literals only. */
export interface Shape {
  /** libpg_query's, 16 hex digits; `other` for text that does not parse. */
  readonly fingerprint: string;
  /** The text with `$1` for each literal; shown to people, holds no value. */
  readonly text: string;
  readonly kind: StatementKind;
  /** Rows may differ by nature: compare their shape only. */
  readonly noise: NoiseRule | undefined;
  /** For noise{sequence}: the relation whose defaults are returned. */
  readonly sequenceOf: string | undefined;
  /** Keys of a top-level ORDER BY: names or ordinals (from 1) of output columns; null: a key is no output column. Undefined: no ORDER BY. */
  readonly orderBy: readonly (string | number)[] | null | undefined;
  /** It takes row locks, so its place among the writers matters. */
  readonly locks: boolean;
  /** Relations it reads and writes, without their schema. */
  readonly reads: readonly string[];
  readonly writes: readonly string[];
}

/** Text that the parser refuses, and shapes beyond the bound. */
export const OTHER_SHAPE: Shape = {
  fingerprint: "other",
  text: "(not parsed)",
  kind: "other",
  noise: "volatile",
  sequenceOf: undefined,
  orderBy: undefined,
  locks: false,
  reads: [],
  writes: [],
};
