import { ShapeCache } from "../../src/sql/shape_cache.ts";
import {
  type Example,
  isMismatch,
  RESULTS,
  type StatementSummary,
} from "../../src/stats/mod.ts";
import type { CorpusCase } from "./corpus.ts";

/** What came of a case. */
export interface Judgement {
  /** The class found, or what is wrong with it. */
  readonly found: string;
  /** The class is right, and the place that the case names is not shown. */
  readonly isNotNamed: boolean;
}

/** What the proxy said of a case. @param rows all of its statements. */
export function judgementOf(
  one: CorpusCase,
  rows: readonly StatementSummary[],
): Judgement {
  const last = fingerprintOf(one.judged_as ?? one.statements.at(-1) ?? "");
  const found = rows.flatMap(({ fingerprint, text, results }) =>
    RESULTS.filter((result, i) => isFound(result) && (results[i] ?? 0) > 0)
      .map((result) =>
        result.replace("mismatch_", "") +
        (fingerprint === last ? "" : ` of ${text}`)
      )
  );
  const own = rows.find(({ fingerprint }) => fingerprint === last);
  if (own === undefined) {
    return wrong(
      `not seen among "${rows.map(({ text }) => text).join('", "')}"`,
    );
  }
  if (found.length === 0) {
    const skipped = RESULTS.filter((result, i) =>
      result.startsWith("skipped_") && (own.results[i] ?? 0) > 0
    );
    return wrong(skipped.join(", ") || "clean");
  }
  if (found.join(", ") !== one.expect) return wrong(found.join(", "));
  const example = own.examples.find(({ result }) =>
    result.replace("mismatch_", "") === one.expect
  );
  const missing = placeMissing(one, example);
  return missing === undefined
    ? { found: one.expect, isNotNamed: false }
    : { found: `${one.expect}, but ${missing}`, isNotNamed: true };
}

function isFound(result: string): boolean {
  return isMismatch(RESULTS.findIndex((name) => name === result)) ||
    result.startsWith("note_");
}

function wrong(found: string): Judgement {
  return { found, isNotNamed: false };
}

/** What of the place that a case names the example does not show. */
function placeMissing(
  { column, values, order }: CorpusCase,
  example: Example | undefined,
): string | undefined {
  const place = example?.difference ?? "nothing";
  if (column !== undefined && !hasWords(place, `column ${column}`)) {
    return `it names ${place}`;
  }
  if (order && !place.startsWith("only the order differs")) {
    return `it names ${place}`;
  }
  const shown = [example?.primary.detail, example?.mirror.detail];
  if (values?.some((value, i) => value !== shown[i])) {
    return `it shows ${shown.join(" and ")}`;
  }
  return undefined;
}

function hasWords(text: string, words: string): boolean {
  return ` ${text.replaceAll(/[",;:]/g, " ")} `.includes(` ${words} `);
}

/** The fingerprint of a text's last statement. */
function fingerprintOf(text: string): string | undefined {
  const bytes = new TextEncoder().encode(text);
  const { shapes } = new ShapeCache(10).get(bytes, 0, bytes.length);
  return shapes.at(-1)?.fingerprint;
}
