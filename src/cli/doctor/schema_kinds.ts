import type { Severity } from "./finding.ts";
import type { SetName } from "./sets.ts";
import type { Row } from "./snapshot.ts";

/** A property of an object that both sides have. */
export interface Field {
  /** The set's column. */
  readonly column: string;
  readonly label: string;
  readonly severity: Severity;
  /** Two major versions print it differently: compared loosely then, and at most a warning. */
  readonly printed?: boolean;
  /** If it differs, the other fields say nothing more. */
  readonly decides?: boolean;
}

/** How the objects of one set are compared. */
export interface ObjectKind {
  readonly set: SetName;
  /** Before the name; none if the name says it. */
  readonly noun: string;
  /** Undefined: another kind reports it. */
  readonly missing?: (row: Row) => Severity;
  readonly extra?: Severity;
  readonly fields: readonly Field[];
}

const error = () => "error" as const;
const DEFINITION = { column: "definition", label: "definition" } as const;
const STATE: Field = { column: "state", label: "state", severity: "error" };

function field(column: string, severity: Severity = "error"): Field {
  return { column, label: column.replaceAll("_", " "), severity };
}

export const SCHEMA_KINDS: readonly ObjectKind[] = [
  {
    set: "relations",
    noun: "",
    missing: error,
    extra: "note",
    fields: [
      { ...field("kind"), decides: true },
      field("persistence"),
      field("partition_key"),
      field("partition_bound"),
      field("parents"),
      field("row_security"),
      field("forced_row_security"),
      field("access_method", "warning"),
      field("replica_identity", "note"),
      field("options", "note"),
    ],
  },
  {
    set: "columns",
    noun: "column",
    missing: error,
    // "select *" and "insert" without a column list meet it.
    extra: "error",
    fields: [
      field("type"),
      field("nullable"),
      field("default"),
      field("identity"),
      field("generated"),
      field("collation"),
      field("position"),
    ],
  },
  {
    set: "indexes",
    noun: "index",
    // A unique index is a constraint without the name.
    missing: ({ is_unique }) => is_unique === "t" ? "error" : "warning",
    extra: "note",
    fields: [{ ...DEFINITION, severity: "warning" }],
  },
  {
    set: "constraints",
    noun: "constraint",
    missing: error,
    extra: "warning",
    fields: [{ ...DEFINITION, severity: "error" }],
  },
  {
    set: "sequences",
    noun: "sequence",
    missing: error,
    extra: "note",
    fields: [
      field("type"),
      field("increment"),
      field("minimum"),
      field("maximum"),
      field("cycles"),
      field("start", "note"),
      field("cache", "note"),
    ],
  },
  {
    set: "functions",
    noun: "",
    missing: error,
    extra: "note",
    fields: [
      field("result"),
      field("argument_names"),
      field("argument_defaults"),
      field("language"),
      field("body"),
      { ...field("sql_body"), printed: true },
      field("strict"),
      field("security_definer"),
      field("settings"),
      field("volatility", "warning"),
      field("parallel", "warning"),
    ],
  },
  {
    set: "views",
    noun: "view",
    fields: [{ ...DEFINITION, severity: "error", printed: true }],
  },
  {
    set: "triggers",
    noun: "trigger",
    missing: error,
    extra: "error",
    fields: [{ ...DEFINITION, severity: "error" }, STATE],
  },
  {
    set: "event_triggers",
    noun: "event trigger",
    missing: () => "warning",
    extra: "warning",
    fields: [{ ...DEFINITION, severity: "warning" }, STATE],
  },
  {
    set: "types",
    noun: "type",
    missing: error,
    extra: "note",
    fields: [{ ...DEFINITION, severity: "error" }],
  },
  {
    set: "policies",
    noun: "policy",
    missing: error,
    extra: "error",
    fields: [{ ...DEFINITION, severity: "error" }],
  },
  {
    set: "rules",
    noun: "rule",
    missing: error,
    extra: "error",
    fields: [{ ...DEFINITION, severity: "error", printed: true }],
  },
  {
    set: "extended_statistics",
    noun: "statistics object",
    missing: () => "warning",
    extra: "note",
    fields: [{ ...DEFINITION, severity: "warning" }],
  },
];
