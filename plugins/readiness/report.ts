import { createHash } from "node:crypto";
import {
  RESULTS,
  type StatementSummary,
  withoutValues,
} from "../../src/plugin/api.ts";
import { ruleText } from "./accepted.ts";
import { withoutStatements } from "./evidence.ts";
import type { ReadinessDocument } from "./document.ts";
import { givenRows } from "./given.ts";
import { mismatchesOf, outcomeText, worstFirst } from "./show.ts";

/** Statements in a document for people. */
const WORST = 20;
/** Columns in the JSON document. */
const WORST_COLUMNS = 100;

/**
 * The document as JSON: an object without the statements' histograms. Values of
 * statements are in it only if the document says that it may show them.
 */
export function render(document: ReadinessDocument, format: "json"): unknown;
/** The document as a text to put into a change ticket. */
export function render(
  document: ReadinessDocument,
  format: "markdown" | "html",
): string;
export function render(
  document: ReadinessDocument,
  format: "json" | "markdown" | "html",
): unknown {
  if (format === "json") return toJson(document);
  const blocks = toBlocks(document);
  return format === "markdown"
    ? blocks.map(blockToMarkdown).join("\n")
    : toHtml(blocks);
}

function toJson(document: ReadinessDocument) {
  const { verdict, mirrors, evidence, showsValues, ...head } = document;
  return {
    ...head,
    ...verdict,
    given: givenRows(document).slice(0, WORST_COLUMNS),
    rules: document.rules.map((rule) => ({ rule: ruleText(rule), ...rule })),
    evidence: withoutStatements(evidence),
    mirrors: mirrors.map((mirror) => ({
      ...mirror,
      evidence: withoutStatements(mirror.evidence),
    })),
    statements: worstFirst(evidence.statements).slice(0, WORST)
      .map((summary) => ({
        fingerprint: summary.fingerprint,
        text: summary.text,
        mirror: summary.mirror,
        calls: summary.calls,
        mismatches: mismatchesOf(summary),
        latency: summary.latency,
        masked: summary.masked,
        examples: showsValues
          ? summary.examples
          : summary.examples.map(withoutValues),
      })),
  };
}

/** A heading, a paragraph or a table: what both texts are made of. */
type Block =
  | { readonly kind: "heading"; readonly level: 1 | 2; readonly text: string }
  | { readonly kind: "paragraph"; readonly text: string }
  | {
    readonly kind: "table";
    readonly head: readonly string[];
    readonly rows: readonly (readonly string[])[];
  };

function toBlocks(document: ReadinessDocument): Block[] {
  const { verdict, evidence, mirrors, servers, window } = document;
  const known = new Map(Object.entries(servers));
  const version = (database: string) =>
    `${database} (PostgreSQL ${known.get(database) ?? "of unknown version"})`;
  return [
    {
      kind: "heading",
      level: 1,
      text: `Mirror readiness: ${verdict.headline}`,
    },
    {
      kind: "paragraph",
      text:
        `${verdict.recommendation}. Score ${verdict.score} of 100 towards READY. ${
          verdict.reasons.map((reason) => `Note: ${reason}.`).join(" ")
        }`.trim(),
    },
    ...verdict.causes.map((cause) => ({
      kind: "paragraph" as const,
      text: `Likely cause: ${cause}.`,
    })),
    {
      kind: "paragraph",
      text: `${evidence.activeHours.toFixed(2)} hours with traffic within ${
        evidence.observedHours.toFixed(2)
      } hours in the window since ${window.since}, begun because ${window.because}; this process has run from ${document.since} to ${document.at}. PgDog Mirror ${document.version}, comparing "${document.compare}".`,
    },
    ...mirrors.flatMap(({ database, mirror, verdict }) => [
      {
        kind: "heading" as const,
        level: 2 as const,
        text: `${version(database)} on ${version(mirror)}: ${verdict.headline}`,
      },
      {
        kind: "table" as const,
        head: ["gate", "status", "in words"],
        rows: verdict.gates.map((
          gate,
        ) => [gate.gate, gate.status, gate.sentence]),
      },
    ]),
    ...rulesOf(document),
    ...excludesOf(document),
    ...drawnOf(document),
    { kind: "heading", level: 2, text: "Ledger" },
    {
      kind: "table",
      head: ["seen", "excluded", "dropped", "replayed", "failed", "pending"],
      rows: [[
        evidence.seen,
        evidence.excluded,
        evidence.dropped,
        evidence.replayed,
        evidence.failed,
        evidence.pending,
      ].map(String)],
    },
    ...counts(
      "Requests that were not replayed to their end (this process, in the window)",
      evidence.reasons,
    ),
    ...counts("Statements by result", resultsOf(evidence.statements)),
    { kind: "heading", level: 2, text: "Worst statements" },
    {
      kind: "table",
      head: ["statement", "calls", "mismatches", "time ratio", "example"],
      rows: worstFirst(evidence.statements).slice(0, WORST).map((summary) =>
        statementCells(summary, document.showsValues)
      ),
    },
  ];
}

/** Who has accepted what, and until when. */
function rulesOf({ rules }: ReadinessDocument): Block[] {
  if (rules.length === 0) return [];
  return [
    { kind: "heading", level: 2, text: "Accepted differences" },
    {
      kind: "table",
      head: ["rule", "reason", "until", "state", "accepted"],
      rows: rules.map((rule) => [
        ruleText(rule),
        rule.reason,
        rule.until ?? "",
        rule.state,
        String(rule.accepted),
      ]),
    },
  ];
}

/** What is not replayed on purpose, and why. */
function excludesOf({ excludes }: ReadinessDocument): Block[] {
  if (excludes.length === 0) return [];
  return [
    {
      kind: "heading",
      level: 2,
      text: "Left out by rules, and as unsafe (since this process began)",
    },
    {
      kind: "table",
      head: ["what", "kind", "reason", "mirror", "requests"],
      rows: excludes.map(({ name, kind, reason, mirror, excluded }) => [
        name,
        kind,
        reason,
        mirror ?? "",
        String(excluded),
      ]),
    },
  ];
}

/** What the mirror was not given. */
function drawnOf(document: ReadinessDocument): Block[] {
  const rows = givenRows(document).filter(({ drawn }) => drawn > 0)
    .slice(0, WORST);
  if (rows.length === 0) return [];
  return [
    {
      kind: "heading",
      level: 2,
      text: "Columns that the mirror fills by itself",
    },
    {
      kind: "table",
      head: ["column", "rows given", "statements", "why", "mismatches"],
      rows: rows.map((row) => [
        `${row.relation}.${row.column}`,
        String(row.givenRows),
        String(row.drawn),
        row.reason ?? "",
        String(row.mismatches),
      ]),
    },
  ];
}

/** A table of what there is any of. */
function counts(
  title: string,
  counts: Readonly<Record<string, number>>,
): Block[] {
  const rows = Object.entries(counts).filter(([, count]) => count > 0)
    .map(([name, count]) => [name, String(count)]);
  if (rows.length === 0) return [];
  return [
    { kind: "heading", level: 2, text: title },
    { kind: "table", head: ["what", "how many"], rows },
  ];
}

function resultsOf(
  statements: readonly StatementSummary[],
): Record<string, number> {
  return Object.fromEntries(
    RESULTS.map((
      name,
      i,
    ) => [
      name,
      statements.reduce((sum, { results }) => sum + (results[i] ?? 0), 0),
    ]),
  );
}

function statementCells(
  summary: StatementSummary,
  showsValues: boolean,
): string[] {
  const { latency: { ratio, ratioLow, ratioHigh, totalRatio }, examples } =
    summary;
  const [first] = examples;
  const example = first && !showsValues ? withoutValues(first) : first;
  const interval = ratioLow === null || ratioHigh === null
    ? ""
    : ` (${ratioLow.toFixed(2)} to ${ratioHigh.toFixed(2)})`;
  return [
    summary.text,
    String(summary.calls),
    String(mismatchesOf(summary)),
    ratio === null || totalRatio === null
      ? ""
      : `${ratio.toFixed(2)}${interval}, ${totalRatio.toFixed(2)} in total`,
    example === undefined ? "" : [
      ...example.difference ? [example.difference] : [],
      `primary: ${outcomeText(example.primary)}`,
      `mirror: ${outcomeText(example.mirror)}`,
    ].join("; "),
  ];
}

function blockToMarkdown(block: Block): string {
  switch (block.kind) {
    case "heading":
      return `${"#".repeat(block.level)} ${block.text}\n`;
    case "paragraph":
      return `${block.text}\n`;
    case "table": {
      const line = (cells: readonly string[]) =>
        `| ${cells.map(markdownCell).join(" | ")} |`;
      return [
        line(block.head),
        line(block.head.map(() => "---")),
        ...block.rows.map(line),
        "",
      ].join("\n");
    }
  }
}

/** Nothing in a statement's text may end a cell, or begin markup. */
function markdownCell(text: string): string {
  return text.replaceAll(/\s+/g, " ").replaceAll(/[\\|<>`*_[\]]/g, "\\$&");
}

/** In the document itself, so that it can be kept as one file. */
const STYLE = `
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #8888; padding: .3rem .6rem; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
`;

/** Of an answer with the HTML document: nothing is loaded, that one style sheet is applied. */
export const HTML_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash("sha256").update(STYLE).digest("base64")}'`,
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

function toHtml(blocks: readonly Block[]): string {
  const body = blocks.map((block) => {
    switch (block.kind) {
      case "heading":
        return `<h${block.level}>${escapeHtml(block.text)}</h${block.level}>`;
      case "paragraph":
        return `<p>${escapeHtml(block.text)}</p>`;
      case "table": {
        const row = (cells: readonly string[], tag: string) =>
          `<tr>${
            cells.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join("")
          }</tr>`;
        return `<table>${row(block.head, "th")}${
          block.rows.map((cells) => row(cells, "td")).join("")
        }</table>`;
      }
    }
  }).join("\n");
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Mirror readiness</title>
<meta name="viewport" content="width=device-width">
<style>${STYLE}</style>
${body}
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
