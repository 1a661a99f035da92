import type { Danger } from "./danger.ts";
import type { Definition } from "./definition.ts";
import type { Insertion } from "./insertion.ts";
import type { Isolation } from "./isolation.ts";
import type { RowLocking } from "./row_locking.ts";
import type { MomentBound } from "./moment_bounds.ts";
import type { MomentCalls } from "./moment_calls.ts";
import type { PinnedRows } from "./pins.ts";
import type { Updating } from "./updating.ts";
import type { Collated, Draw, InOrder, Output, Ties, Trait } from "./trait.ts";

/** A statement about the server itself: what differs is told, and counts as nothing. */
export type Note =
  /** It reads catalogs. */
  | "catalog"
  /** It asks for an object by its OID, which the other server may not have. */
  | "object"
  /** EXPLAIN. */
  | "plan";

/** How the number of rows may differ without anybody's fault. */
export type CountRule =
  /** By rows whose time came between the two runs. */
  | "boundary"
  /** By a choice among equals within a query; never all of them. */
  | "choice"
  /** By chance; never all of them. */
  | "any"
  /** By a draw, a lock, or the place where a row lies: none may be left. */
  | "draw";

/** How a COPY … TO writes its rows, in the form that it has without other options. */
export type CopyFormat = "text" | "csv" | "binary";

/** A rule about the number of rows, and what takes it away. */
export interface CountPart extends Ties {
  readonly rule: CountRule;
}

/** What a statement is, for `level` and for the order of replay. */
export type StatementKind = "read" | "dml" | "ddl" | "transaction" | "other";

/** What is known of all statements that differ in their literals only. */
export interface Shape {
  /** 16 hex digits; `other` where nothing is known. */
  readonly fingerprint: string;
  /** The text with `$1` for each literal; shown to people, holds no value. */
  readonly text: string;
  readonly kind: StatementKind;
  /** It steers the session and has no answer of its own: BEGIN, COMMIT, SET, an empty query. */
  readonly isControl: boolean;
  /** What it says of isolation levels. */
  readonly isolation?: Isolation | undefined;
  /** False: the text is known by its tokens only, or is too large to be looked at. In what it may differ is unknown. */
  readonly isParsed: boolean;
  readonly note: Note | undefined;
  /** In what its columns may differ; undefined: it has none. */
  readonly outputs: readonly Output[] | undefined;
  /** What it writes to which relations. */
  readonly draws: readonly Draw[];
  /** How the number of its rows may differ; empty: it is the statement's own. */
  readonly counts: readonly CountPart[];
  /** A choice among its rows: their number is its own, but not that of a query around it that filters them. */
  readonly choices: readonly CountPart[];
  /** What it filters, groups or joins the rows of: keys of relations, and functions. */
  readonly filtered: readonly string[];
  /** The same of what it takes single values from. */
  readonly picked: readonly string[];
  /** It may leave out some of the rows that a query within numbers. */
  readonly skipsNumbers: boolean;
  /** What its conditions hold rows against; undefined: nothing that may be a choice. */
  readonly decidedBy?: Pick<Trait, "calls" | "columns"> | undefined;
  /** Columns of its answer by which alone the moment decides which rows there are; undefined: they do not tell. */
  readonly momentBounds?: readonly MomentBound[] | undefined;
  /** Columns that it compares for equality with values, where the moment decides which rows there are. */
  readonly equated?: readonly string[] | undefined;
  /** Where it asks for the moment; undefined: nowhere, or not in a way that can be moved. */
  readonly momentCalls?: MomentCalls | undefined;
  /** It makes one row out of several, or one value. */
  readonly folds: boolean;
  /** Keys of a top-level ORDER BY: names or ordinals of output columns, from 1 on, or from -1 backwards from the last; null: a key is no output column. Undefined: no ORDER BY. */
  readonly orderBy: readonly (string | number)[] | null | undefined;
  /** Texts among these keys. */
  readonly sortedBy: readonly Collated[];
  /** Without an ORDER BY: how its rows come; undefined: in no order. */
  readonly inOrder?: InOrder | undefined;
  /** A top-level LIMIT, OFFSET or FETCH FIRST may leave rows out. */
  readonly limited: boolean;
  /** The rows that may come, where a literal says so: fewer are no choice. */
  readonly limit: number | undefined;
  /** It takes row locks, so its place among the writers matters. */
  readonly locks: boolean;
  /** Keys of the relations it reads … */
  readonly sources: readonly string[];
  /** … and what it reads and writes by name, without schemas. */
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  /** It names one that it writes with its schema. */
  readonly writesWithSchema?: boolean;
  /** Functions that it calls, without their schema … */
  readonly calls: readonly string[];
  /** … and those of them that decide which rows there are. */
  readonly deciding: readonly string[];
  /** The only relation of a SELECT; undefined: there are several, or none. */
  readonly only: Only | undefined;
  /** The rows that it touches of its only relation; undefined: any. */
  readonly pinned: PinnedRows | undefined;
  /** What it changes as a definition; undefined: it is none, or does not say. */
  readonly definition?: Definition | undefined;
  /** What it may do beside its database; undefined: nothing that its text tells. */
  readonly danger?: Danger | undefined;
  /** What it inserts; undefined: nothing, or it stands within another statement. */
  readonly insertion?: Insertion | undefined;
  /** Which rows it locks, if others may make it choose them otherwise. */
  readonly rowLocking?: RowLocking | undefined;
  /** What it sets to what chance decides. */
  readonly updating?: Updating | undefined;
  /** The statement that it is a form of: both have the same columns. */
  readonly base?: Shape;
  /** The form of the rows of a COPY … TO; undefined: it is none, or has a form of its own. */
  readonly copy?: CopyFormat | undefined;
  /** What its lists have between their elements: literals, or numbers of parameters; undefined: that is not known. */
  readonly separators?: readonly (string | number)[];
}

/** The only relation that a statement reads rows from, by its key. */
export interface Only {
  readonly relation: string;
  /** Columns with one value each … */
  readonly pinned: readonly string[];
  /** … and those that its rows are sorted by. */
  readonly sorted: readonly string[];
}

/** A statement whose text never came: an Execute of an unheard name, a result too many. */
export const OTHER_SHAPE: Shape = {
  fingerprint: "other",
  text: "(unknown statement)",
  kind: "other",
  isControl: false,
  isParsed: false,
  note: undefined,
  outputs: undefined,
  draws: [],
  counts: [],
  choices: [],
  filtered: [],
  picked: [],
  skipsNumbers: false,
  folds: false,
  orderBy: undefined,
  sortedBy: [],
  limited: false,
  limit: undefined,
  locks: false,
  sources: [],
  reads: [],
  writes: [],
  calls: [],
  deciding: [],
  only: undefined,
  pinned: undefined,
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
