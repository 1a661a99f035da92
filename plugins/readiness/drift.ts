import {
  type ChanceColumn,
  chanceColumnName,
  type DriftCount,
  isMismatch,
  RESULTS,
  type StatementSummary,
} from "../../src/plugin/api.ts";

/** A column that the mirror fills by itself, and what differs where it is read or written. */
export interface DriftFinding {
  readonly database: string;
  readonly mirror: string;
  /** Of a number, or of a time or a token. */
  readonly kind: "sequence_drift" | "default_drift";
  readonly relation: string;
  readonly column: string;
  readonly sequence: string | null;
  /** Why the mirror does it, most often. */
  readonly reason: string;
  /** Since when, in ISO 8601; null: an earlier run has seen it. */
  readonly since: string | null;
  /** What no rule accepts, in statements that depend on the column … */
  readonly mismatches: number;
  readonly noise: number;
  /** … and how many statements these are. */
  readonly statements: number;
  /** What would give the mirror the primary's values. */
  readonly cure: string;
}

/** Relations that a verdict names. */
const NAMED = 3;

/** The columns that may stand behind differences, those behind most first. @param statements without what rules accept. */
export function driftFindings(
  statements: readonly StatementSummary[],
  columns: readonly ChanceColumn[],
  values: string,
): DriftFinding[] {
  const known = new Map(
    columns.map((one) => [keyOf(one, chanceColumnName(one)), one]),
  );
  const found = new Map<string, { column: ChanceColumn; of: DriftCount[][] }>();
  for (const statement of statements) {
    for (
      const [name, of] of Map.groupBy(statement.drifted, ({ column }) => column)
    ) {
      const key = keyOf(statement, name);
      const column = known.get(key) ?? earlierRuns(statement, name);
      const before = found.get(key);
      if (before === undefined) found.set(key, { column, of: [of] });
      else before.of.push(of);
    }
  }
  return [...found.values()]
    .map(({ column, of }) => finding(column, of, values))
    .sort((a, b) =>
      b.mismatches - a.mismatches || b.noise - a.noise ||
      Number(b.kind === "sequence_drift") - Number(a.kind === "sequence_drift")
    );
}

function finding(
  column: ChanceColumn,
  of: readonly (readonly DriftCount[])[],
  values: string,
): DriftFinding {
  const counts = of.flat();
  const sum = (isWanted: (result: number) => boolean) =>
    counts.reduce(
      (total, { result, count }) =>
        total +
        (isWanted(RESULTS.findIndex((name) => name === result)) ? count : 0),
      0,
    );
  const { database, mirror, relation, sequence, since } = column;
  const reason = reasonOf(column);
  return {
    database,
    mirror,
    kind: column.kind === "sequence" ? "sequence_drift" : "default_drift",
    relation,
    column: column.column,
    sequence,
    reason,
    since: since === null ? null : new Date(since).toISOString(),
    mismatches: sum(isMismatch),
    noise: sum((result) => !isMismatch(result)),
    statements: of.length,
    cure: cureOf(reason, column.column, values),
  };
}

/** Why the mirror makes a column's values, most often. */
export function reasonOf({ drawn }: ChanceColumn): string {
  const [first] = Object.entries(drawn).sort(([, a], [, b]) => b - a);
  return first?.[0] ?? "not known";
}

/** What a column's reason asks for. */
export function cureOf(reason: string, column: string, values: string): string {
  const log =
    'mirror_values = "log" (needs wal_level = logical on the primary, and a user with REPLICATION in [[databases]])';
  const client = "a value that the client makes";
  switch (reason) {
    case "own":
      return `mirror_values = "answers", or ${log}`;
    case "not returned":
    case "not known":
      return values === "log"
        ? `RETURNING ${column}, or ${client}: the log did not tell it`
        : `${log}, RETURNING ${column}, or ${client}`;
    case "currval":
      return `RETURNING in the place of currval() and lastval(), or ${log}`;
    case "behind":
      return "setval() on the mirror: its sequence gives numbers that rows have";
    case "another moment":
      return "the mirror's clock and time zone as the primary's";
    case "no privilege":
      return "GRANT INSERT on the table, and USAGE on its sequence, to the mirror's user";
    default:
      return client;
  }
}

/**
 * In words, one for each relation.
 *
 * @param isNoiseOpen the noise is too much for READY.
 */
export function likelyCauses(
  findings: readonly DriftFinding[],
  isNoiseOpen: boolean,
): string[] {
  const open = findings.filter(({ mismatches, noise }) =>
    mismatches > 0 || isNoiseOpen && noise > 0
  );
  const first = [
    ...Map.groupBy(
      open,
      ({ database, mirror, relation }) =>
        JSON.stringify([database, mirror, relation]),
    ).values(),
  ].flatMap(([one]) => one ?? []);
  const more = first.length - NAMED;
  return [
    ...first.slice(0, NAMED).map(sentence),
    ...more > 0
      ? [`${more} more relations are in SHOW MIRROR GIVEN, with mismatches`]
      : [],
  ];
}

function sentence(one: DriftFinding): string {
  const { kind, relation, column, sequence, reason, since, cure } = one;
  const { mismatches, noise, statements } = one;
  const from = sequence === null ? "" : ` (sequence ${sequence})`;
  const when = since === null ? "in an earlier run" : `since ${since}`;
  return [
    `${kind} of table ${relation}, column ${column}${from}: the mirror has made its own values ${when} (${reason})`,
    `in statements that depend on them are mismatches: ${mismatches}, noise: ${noise}, statements: ${statements}`,
    `what ends it: ${cure}`,
    "a rule of [[ignore]] accepts the differences",
    "a defect of the table would look the same",
  ].join("; ");
}

function keyOf(
  { database, mirror }: Pick<ChanceColumn, "database" | "mirror">,
  name: string,
): string {
  return JSON.stringify([database, mirror, name]);
}

/** A column of which only the counts have outlived its process. */
function earlierRuns(
  { database, mirror }: StatementSummary,
  name: string,
): ChanceColumn {
  const dot = name.lastIndexOf(".");
  return {
    database,
    mirror,
    relation: name.slice(0, dot),
    column: name.slice(dot + 1),
    kind: "sequence",
    sequence: null,
    givenRows: 0,
    drawn: {},
    since: null,
  };
}
