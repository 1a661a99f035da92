import type {
  AdminColumn,
  AdminCommand,
  ChanceColumn,
} from "../../src/plugin/api.ts";
import type { ReadinessDocument } from "./document.ts";
import { cureOf, reasonOf } from "./drift.ts";

/** A column that chance fills, as people read it. */
export interface GivenRow {
  readonly mirror: string;
  readonly relation: string;
  readonly column: string;
  readonly sequence: string | null;
  readonly kind: ChanceColumn["kind"];
  /** Rows that have the primary's values … */
  readonly givenRows: number;
  /** … and statements for which the mirror has made its own … */
  readonly drawn: number;
  /** … each reason with its count; null: none. */
  readonly reason: string | null;
  /** ISO 8601. */
  readonly since: string | null;
  /** In statements that depend on the column, in the window. */
  readonly mismatches: number;
  readonly noise: number;
  readonly cure: string | null;
}

/** Of all mirrors, those behind which most differences may stand first. */
export function givenRows(
  { given, values, evidence }: ReadinessDocument,
): GivenRow[] {
  return given.map((one): GivenRow => {
    const { mirror, relation, column, sequence, kind, givenRows, since } = one;
    const drift = evidence.drift.find((found) =>
      found.database === one.database && found.mirror === mirror &&
      found.relation === relation && found.column === column
    );
    const reasons = Object.entries(one.drawn).sort(([, a], [, b]) => b - a);
    const isDrawn = reasons.length > 0;
    return {
      mirror,
      relation,
      column,
      sequence,
      kind,
      givenRows,
      drawn: reasons.reduce((sum, [, n]) => sum + n, 0),
      reason: isDrawn
        ? reasons.map(([reason, n]) => `${reason}: ${n}`).join(", ")
        : null,
      since: since === null ? null : new Date(since).toISOString(),
      mismatches: drift?.mismatches ?? 0,
      noise: drift?.noise ?? 0,
      cure: isDrawn ? cureOf(reasonOf(one), column, values) : null,
    };
  }).sort((a, b) =>
    b.mismatches - a.mismatches || b.noise - a.noise || b.drawn - a.drawn
  );
}

const column = (
  name: string,
  type: AdminColumn["type"],
  help: string,
): AdminColumn => ({ name, type, help });

/** SHOW MIRROR GIVEN. */
export function givenCommand(document: () => ReadinessDocument): AdminCommand {
  return {
    words: "SHOW MIRROR GIVEN",
    help: "Columns that chance fills: what the mirror is given, and what not",
    columns: [
      column("relation", "text", "Table, with its schema"),
      column("column", "text", "Its column"),
      column("kind", "text", "What makes its values: sequence, time, chance"),
      column("sequence", "text", "That its default draws from"),
      column("given_rows", "int8", "Rows that have the primary's values"),
      column("drawn", "int8", "Statements for which the mirror made its own"),
      column("reason", "text", "Why it did, and how often"),
      column("since", "timestamptz", "When it first did"),
      column("mismatches", "int8", "Of statements that depend on the column"),
      column("noise", "int8", "Of the same"),
      column("cure", "text", "What would give the mirror the values"),
      column("mirror", "text", "Destination database"),
    ],
    rows: () =>
      givenRows(document()).map((row) => [
        row.relation,
        row.column,
        row.kind,
        row.sequence,
        row.givenRows,
        row.drawn,
        row.reason,
        row.since === null ? null : new Date(row.since),
        row.mismatches,
        row.noise,
        row.cure,
        row.mirror,
      ]),
  };
}
