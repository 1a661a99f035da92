import {
  countFindings,
  type Counts,
  type Finding,
  SEVERITIES,
} from "./finding.ts";

/** One side of a pair. */
export interface Side {
  /** Its name in `[[databases]]`. */
  readonly name: string;
  /** `10.0.0.5:5432/shop`. */
  readonly address: string;
  /** Undefined if it could not be asked. */
  readonly version: string | undefined;
}

/** What was found between a source database and its destination, or of a database alone. */
export interface PairReport {
  readonly primary: Side;
  /** None: nothing is mirrored. */
  readonly mirror?: Side;
  readonly findings: readonly Finding[];
}

/** In text; JSON has all. */
const SHOWN_PER_RULE = 20;

export function totalCounts(pairs: readonly PairReport[]): Counts {
  return countFindings(pairs.flatMap(({ findings }) => findings));
}

/** For programs: `{summary, pairs}`. */
export function reportJson(pairs: readonly PairReport[]): string {
  return JSON.stringify({ summary: totalCounts(pairs), pairs }, undefined, 2);
}

/** For people: groups, within them rules, each with its advice once. */
export function reportText(pairs: readonly PairReport[]): string {
  return [...pairs.flatMap(pairLines), summaryLine(totalCounts(pairs))]
    .map(printable).join("\n");
}

function pairLines({ primary, mirror, findings }: PairReport): string[] {
  const lines = [
    `primary  ${sideText(primary)}`,
    ...mirror === undefined ? [] : [`mirror   ${sideText(mirror)}`],
    "",
  ];
  for (const group of new Set(findings.map((finding) => finding.group))) {
    lines.push(group);
    const grouped = findings.filter((finding) => finding.group === group);
    const rules = Map.groupBy(
      grouped,
      ({ severity, rule, advice }) => `${severity} ${rule} ${advice}`,
    );
    for (const same of rules.values()) lines.push(...ruleLines(same));
    lines.push("");
  }
  return lines;
}

function ruleLines(findings: readonly Finding[]): string[] {
  const lines = findings.slice(0, SHOWN_PER_RULE).flatMap((finding) => [
    `  ${finding.severity.padEnd(8)} ${finding.object}: ${finding.what}`,
    ...valueLine("primary", finding.primary),
    ...valueLine("mirror", finding.mirror),
  ]);
  const more = findings.length - SHOWN_PER_RULE;
  if (more > 0) {
    lines.push(`           … and ${more} more (--format json has all)`);
  }
  const advice = findings[0]?.advice;
  return advice === undefined || advice === "Nothing"
    ? lines
    : [...lines, `           → ${advice}`];
}

function valueLine(side: string, value: string | undefined): string[] {
  return value === undefined
    ? []
    : [`             ${side.padEnd(8)} ${value.replaceAll(/\s+/g, " ")}`];
}

function sideText({ name, address, version }: Side): string {
  return `${name}, ${address}, ${
    version === undefined ? "not asked" : `PostgreSQL ${version}`
  }`;
}

function summaryLine(counts: Counts): string {
  const texts = SEVERITIES.map((severity) => {
    const count = counts[severity];
    return `${count} ${severity}${count === 1 ? "" : "s"}`;
  });
  return texts.join(", ");
}

/** A server's names must not steer the terminal. */
function printable(line: string): string {
  return line.replaceAll(/[\p{Cc}\p{Bidi_Control}]/gu, "\u{fffd}");
}
