import {
  type AdminColumn,
  type AdminCommand,
  type Cell,
  DURATION_BUCKETS,
  isMismatch,
  isNoise,
  isNote,
  type Outcome,
  quantile,
  RESULTS,
  type StatementSummary,
} from "../../src/plugin/api.ts";
import { ruleText } from "./accepted.ts";
import type { ReadinessDocument } from "./document.ts";
import { excludesCommand } from "./excludes.ts";
import { givenCommand } from "./given.ts";
import { isJudged, slownessOf, slownessText } from "./latency_regressions.ts";
import type { Thresholds } from "./thresholds.ts";

type Row = readonly Cell[];

const column = (
  name: string,
  type: AdminColumn["type"],
  help: string,
): AdminColumn => ({ name, type, help });

/** SHOW MIRROR READINESS, RULES, EXCLUDES, GIVEN, DIFFS and STATEMENTS. */
export function readinessCommands(
  document: () => ReadinessDocument,
  thresholds: () => Thresholds,
): AdminCommand[] {
  return [
    {
      words: "SHOW MIRROR READINESS",
      help: "The verdict, then each gate of each mirror",
      columns: [
        column("gate", "text", "The question; the first row is the verdict"),
        column("status", "text", "pass, fail or insufficient"),
        column("observed", "float8", "What was measured"),
        column("limit", "float8", "What is allowed, or needed"),
        column("samples", "int8", "What the observation rests on"),
        column("reason", "text", "In words"),
        column("mirror", "text", "Destination database"),
      ],
      rows: () => readinessRows(document()),
    },
    {
      words: "SHOW MIRROR RULES",
      help: "The rules of [[ignore]], and what each accepts of the evidence",
      columns: [
        column("rule", "text", "What it is about"),
        column("reason", "text", "Why the difference is accepted"),
        column("until", "text", "The first day on which it is not any more"),
        column("state", "text", "active, expired, or unused: nothing fits"),
        column("accepted", "int8", "Results that it accepts"),
        column("requests", "int8", "Requests whose errors it accepts"),
      ],
      rows: () =>
        document().rules.map((rule): Row => [
          ruleText(rule),
          rule.reason,
          rule.until,
          rule.state,
          rule.accepted,
          rule.requests,
        ]),
    },
    excludesCommand(() => document().excludes),
    givenCommand(document),
    {
      words: "SHOW MIRROR DIFFS",
      help:
        "Statements whose results differed, by class, with an example of each",
      columns: [
        column("fingerprint", "text", "Of the statement's shape"),
        column("class", "text", "What differed"),
        column("count", "int8", "How often"),
        column(
          "last_seen",
          "timestamptz",
          "When the statement was last compared",
        ),
        column("statement", "text", "Without its values"),
        column("primary", "text", "What the primary answered, in an example"),
        column("mirror_answer", "text", "What the mirror answered to the same"),
        column("mirror", "text", "Destination database"),
        column("difference", "text", "Row and column of the example"),
      ],
      rows: () => worstFirst(document().evidence.statements).flatMap(diffRows),
    },
    {
      words: "SHOW MIRROR STATEMENTS",
      help: "Every statement shape, those with most mismatches first",
      columns: [
        column("fingerprint", "text", "Of the statement's shape"),
        column("calls", "int8", "Pairs that were looked at"),
        column("mismatches", "int8", "Results that differed"),
        column("noise", "int8", "Differences that have a harmless cause"),
        column("ratio", "float8", "Median of mirror time by primary time"),
        column("ratio_low", "float8", "Lower end of its 95 % interval"),
        column("ratio_high", "float8", "Upper end"),
        column("primary_p50_ms", "float8", "Median time of the primary"),
        column("primary_p95_ms", "float8", "95th percentile of the primary"),
        column("mirror_p50_ms", "float8", "Median time of the mirror"),
        column("mirror_p95_ms", "float8", "95th percentile of the mirror"),
        column("primary_p99_ms", "float8", "99th percentile of the primary"),
        column("mirror_p99_ms", "float8", "99th percentile of the mirror"),
        column("rows", "int8", "Rows that the primary returned"),
        column("skipped", "int8", "Pairs that could not be compared"),
        column("first_seen", "timestamptz", "First pair"),
        column("last_seen", "timestamptz", "Last pair"),
        column("statement", "text", "Without its values"),
        column("mirror", "text", "Destination database"),
        column(
          "masked",
          "text",
          "Columns that differed and may, as in an equal server, and how often",
        ),
        column("pairs", "int8", "Pairs that its latency is judged by"),
        column("total_ratio", "float8", "Mirror time by primary time, in sum"),
        column(
          "slower",
          "text",
          "In what the mirror is slower, beyond chance and the limits",
        ),
      ],
      rows: () =>
        worstFirst(document().evidence.statements).map((summary) =>
          statementRow(summary, thresholds())
        ),
    },
  ];
}

function readinessRows({ verdict, mirrors, window }: ReadinessDocument): Row[] {
  const reason = [
    verdict.headline,
    verdict.recommendation,
    ...verdict.reasons,
    ...verdict.causes.map((cause) => `likely cause: ${cause}`),
    `window since ${window.since}, because ${window.because}`,
  ].join("; ");
  return [
    ["verdict", verdict.state, verdict.score, 100, null, reason, null],
    ...mirrors.flatMap(({ mirror, verdict: { gates } }) =>
      gates.map((gate): Row => [
        gate.gate,
        gate.status,
        gate.observed,
        gate.limit,
        gate.samples,
        gate.sentence,
        mirror,
      ])
    ),
  ];
}

function diffRows(summary: StatementSummary): Row[] {
  return summary.results.flatMap((count, i): Row[] => {
    if (count === 0 || !isMismatch(i) && !isNoise(i) && !isNote(i)) return [];
    const name = RESULTS[i] ?? "";
    const example = summary.examples.find(({ result }) => result === name);
    return [[
      summary.fingerprint,
      name.replace(/^(mismatch|noise)_/, ""),
      count,
      new Date(summary.lastSeen),
      summary.text,
      example ? outcomeText(example.primary) : null,
      example ? outcomeText(example.mirror) : null,
      summary.mirror,
      example?.difference ?? null,
    ]];
  });
}

function statementRow(summary: StatementSummary, t: Thresholds): Row {
  const slowness = slownessOf(summary, t);
  const { latency } = summary;
  const at = (side: StatementSummary["primary"], q: number) =>
    side.count === 0 ? null : quantile(side, DURATION_BUCKETS, q) * 1e3;
  return [
    summary.fingerprint,
    summary.calls,
    mismatchesOf(summary),
    countOf(summary, "noise"),
    latency.ratio,
    latency.ratioLow,
    latency.ratioHigh,
    at(summary.primary, 0.5),
    at(summary.primary, 0.95),
    at(summary.mirrorLatency, 0.5),
    at(summary.mirrorLatency, 0.95),
    at(summary.primary, 0.99),
    at(summary.mirrorLatency, 0.99),
    summary.rows,
    countOf(summary, "skipped"),
    new Date(summary.firstSeen),
    new Date(summary.lastSeen),
    summary.text,
    summary.mirror,
    Object.entries(summary.masked).map(([name, n]) => `${name}: ${n}`)
      .join(", ") || null,
    latency.pairs,
    latency.totalRatio,
    slowness === undefined
      ? isJudged(summary, t) ? null : "not judged"
      : slownessText(slowness),
  ];
}

/** Results whose name begins with `what`. */
function countOf({ results }: StatementSummary, what: string): number {
  return results.reduce(
    (sum, n, i) => sum + (RESULTS[i]?.startsWith(what) ? n : 0),
    0,
  );
}

/** Results that differed. */
export function mismatchesOf({ results }: StatementSummary): number {
  return results.reduce((sum, n, i) => sum + (isMismatch(i) ? n : 0), 0);
}

/** By mismatches, then by how much slower the mirror is. */
export function worstFirst(
  statements: readonly StatementSummary[],
): StatementSummary[] {
  return statements.toSorted((a, b) =>
    mismatchesOf(b) - mismatchesOf(a) ||
    slowness(b) - slowness(a)
  );
}

/** At its median, or in sum; 0 while a median is not known. */
function slowness({ latency }: StatementSummary): number {
  const { ratio, totalRatio } = latency;
  return ratio === null ? 0 : Math.max(ratio, totalRatio ?? 0);
}

/** `error 42703`, `SELECT, 5 rows`. */
export function outcomeText(
  { kind, sqlstate, tag, rows, detail }: Outcome,
): string {
  const answer = sqlstate !== null
    ? `${kind} ${sqlstate}`
    : `${tag ?? kind}, ${rows} ${rows === 1 ? "row" : "rows"}`;
  return detail ? `${answer}: ${detail}` : answer;
}
