import type { Finding } from "./finding.ts";
import { type Field, type ObjectKind, SCHEMA_KINDS } from "./schema_kinds.ts";
import {
  byName,
  majorVersion,
  type Row,
  rowsOf,
  type Snapshot,
} from "./snapshot.ts";

const ADVICE =
  "Make it alike on the mirror; pg_dump --schema-only of both sides has the statements";
/** Of a long definition, from shortly before the first difference on. */
const SHOWN_CHARACTERS = 160;
const SHOWN_BEFORE = 40;

/** Every kind of object: missing, extra, or different. */
export function compareSchema(primary: Snapshot, mirror: Snapshot): Finding[] {
  return SCHEMA_KINDS.flatMap((kind) => compareKind(kind, primary, mirror));
}

function compareKind(
  kind: ObjectKind,
  primary: Snapshot,
  mirror: Snapshot,
): Finding[] {
  if (
    primary.sets[kind.set] === undefined || mirror.sets[kind.set] === undefined
  ) return []; // the caller says that it could not be read
  const before = byName(rowsOf(primary, kind.set));
  const after = byName(rowsOf(mirror, kind.set));
  // A missing table is said once, not again for each of its columns.
  const inBoth = bothHave(primary, mirror);
  const majorsDiffer = majorVersion(primary) !== majorVersion(mirror);
  const findings: Finding[] = [];
  for (const [name, row] of before) {
    const other = after.get(name);
    if (other !== undefined) {
      findings.push(...compareFields(kind, row, other, majorsDiffer));
    } else if (kind.missing !== undefined && isReported(kind, row, inBoth)) {
      findings.push({
        severity: kind.missing(row),
        group: "schema",
        rule: `${kind.set}_missing`,
        object: objectName(kind, row),
        what: "is missing on the mirror",
        advice: ADVICE,
      });
    }
  }
  if (kind.extra === undefined) return findings;
  for (const [name, row] of after) {
    if (before.has(name) || !isReported(kind, row, inBoth)) continue;
    findings.push({
      severity: kind.extra,
      group: "schema",
      rule: `${kind.set}_extra`,
      object: objectName(kind, row),
      what: "is on the mirror only",
      advice: kind.extra === "note"
        ? "Nothing, if it is what you want to try"
        : ADVICE,
    });
  }
  return findings;
}

function bothHave(
  primary: Snapshot,
  mirror: Snapshot,
): (relation: string) => boolean {
  const sides = [primary, mirror].map((side) =>
    byName(rowsOf(side, "relations"))
  );
  return (relation) =>
    sides.every((relations) => relations.has(relation)) ||
    // A composite type is in neither: its columns stand for it.
    sides.every((relations) => !relations.has(relation));
}

function isReported(
  kind: ObjectKind,
  row: Row,
  inBoth: (relation: string) => boolean,
): boolean {
  if (row.relation != null && !inBoth(row.relation)) return false;
  return !(kind.set === "indexes" && row.of_constraint === "t") &&
    !(kind.set === "constraints" && row.not_null === "t");
}

function compareFields(
  kind: ObjectKind,
  before: Row,
  after: Row,
  majorsDiffer: boolean,
): Finding[] {
  const deciding = kind.fields.filter((field) =>
    field.decides === true && before[field.column] !== after[field.column]
  );
  const fields = deciding.length > 0 ? deciding : kind.fields;
  return fields.flatMap((field): Finding[] => {
    const [one, other] = [before[field.column], after[field.column]];
    if (isSame(field, one ?? "", other ?? "", majorsDiffer)) return [];
    const [shownOne, shownOther] = excerpts(one ?? "none", other ?? "none");
    const unsure = field.printed === true && majorsDiffer;
    return [{
      severity: unsure ? "warning" : field.severity,
      group: "schema",
      rule: `${kind.set}_${field.column}`,
      object: objectName(kind, before),
      what: unsure
        ? `${field.label} differs, or is printed differently by the two versions`
        : `${field.label} differs`,
      primary: shownOne,
      mirror: shownOther,
      advice: unsure ? "Compare the two by eye" : ADVICE,
    }];
  });
}

function isSame(
  field: Field,
  one: string,
  other: string,
  majorsDiffer: boolean,
): boolean {
  return one === other ||
    (field.printed === true && majorsDiffer && loose(one) === loose(other));
}

/**
 * SQL without what versions print differently: 16 leaves out a column's table
 * where 15 wrote it, and line breaks and parentheses have moved before.
 */
function loose(sql: string): string {
  return sql.replaceAll(/(?:"(?:[^"]|"")+"|\b[a-z_]\w*)\./gi, "")
    .replaceAll(/[\s()]+/g, " ").trim();
}

/** Both texts around the place where they part. */
function excerpts(one: string, other: string): [string, string] {
  let same = 0;
  while (same < one.length && one[same] === other[same]) same++;
  const from = Math.max(0, same - SHOWN_BEFORE);
  const cut = (text: string) => {
    if (text.length <= SHOWN_CHARACTERS) return text;
    const part = text.slice(from, from + SHOWN_CHARACTERS);
    return `${from > 0 ? "…" : ""}${part}${
      from + SHOWN_CHARACTERS < text.length ? "…" : ""
    }`;
  };
  return [cut(one), cut(other)];
}

/** `table public.orders`, `index public.orders_customer_id`. */
function objectName(kind: ObjectKind, row: Row): string {
  const noun = kind.set === "relations" ? `${row.kind}` : kind.noun;
  return noun === "" ? `${row.name}` : `${noun} ${row.name}`;
}
