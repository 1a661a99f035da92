/** Why rows of a statement may differ without anybody's fault. */
export type NoiseRule =
  | "volatile"
  | "sequence"
  /** Nothing is known of the statement. */
  | "unknown";

/** What a statement is, for `level` and for the order of replay. */
export type StatementKind = "read" | "dml" | "ddl" | "transaction" | "other";

/** What is known of all statements that differ in their literals only. */
export interface Shape {
  /** 16 hex digits; `other` where nothing is known. */
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
  /** A top-level LIMIT or FETCH FIRST. */
  readonly limited: boolean;
  /** It takes row locks, so its place among the writers matters. */
  readonly locks: boolean;
  /** Relations it reads and writes, without their schema. */
  readonly reads: readonly string[];
  readonly writes: readonly string[];
}

/** A statement whose text never came: an Execute of an unheard name, a result too many. */
export const OTHER_SHAPE: Shape = {
  fingerprint: "other",
  text: "(unknown statement)",
  kind: "other",
  noise: "unknown",
  sequenceOf: undefined,
  orderBy: undefined,
  limited: false,
  locks: false,
  reads: [],
  writes: [],
};

/** A name that a statement gives to another one, or uses. */
export interface Link {
  readonly kind: "prepared" | "cursor";
  readonly name: string;
  /** What PREPARE or DECLARE names; undefined for EXECUTE and FETCH. */
  readonly defines: Shape | undefined;
}

/** The statements of one text. */
export interface Statements {
  readonly shapes: readonly Shape[];
  /** For each its part in PREPARE and EXECUTE, DECLARE and FETCH; undefined if none has one. */
  readonly links: readonly (Link | undefined)[] | undefined;
}
