import type { SeriesSnapshot } from "../../src/plugin/api.ts";
import type { Family } from "./families.ts";
import type { Format } from "./format.ts";

/**
 * Writes families in Prometheus' text format 0.0.4 or in OpenMetrics 1.0.0
 * (https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md).
 *
 * Both have the same series, so that nothing changes its identity with the
 * format of a scrape: bounds of buckets are written as floats in both, and a
 * state set keeps its own label beside the one that OpenMetrics asks for.
 *
 * @param families the first one has the name, later ones of that name are left out.
 */
export function encode(families: readonly Family[], format: Format): string {
  const lines: string[] = [];
  const taken = new Set<string>();
  for (const family of families) {
    const name = familyName(family);
    if (taken.has(name)) continue;
    taken.add(name);
    if (format === "text") addTextHeader(lines, family);
    else addOpenMetricsHeader(lines, family, name);
    for (const series of family.series) {
      addSeries(lines, family, series, format);
    }
  }
  if (format === "openmetrics") lines.push("# EOF");
  return lines.join("\n") + "\n";
}

/** OpenMetrics' name of the family, without the suffix of its samples. */
function familyName({ name, type }: Family): string {
  if (type === "counter") return name.replace(/_total$/, "");
  if (type === "info") return name.replace(/_info$/, "");
  return name;
}

function addTextHeader(lines: string[], { name, help, type }: Family): void {
  const isGauge = type === "info" || type === "stateset";
  lines.push(
    `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`,
    `# TYPE ${name} ${isGauge ? "gauge" : type}`,
  );
}

function addOpenMetricsHeader(
  lines: string[],
  { help, type }: Family,
  name: string,
): void {
  lines.push(`# TYPE ${name} ${type}`);
  const unit = /_(seconds|bytes)$/.exec(name)?.[1];
  if (unit !== undefined && type !== "info" && type !== "stateset") {
    lines.push(`# UNIT ${name} ${unit}`);
  }
  lines.push(`# HELP ${name} ${escape(help)}`);
}

function addSeries(
  lines: string[],
  family: Family,
  { labels, value, histogram }: SeriesSnapshot,
  format: Format,
): void {
  const { name, type, stateLabel } = family;
  let text = labelText(labels);
  if (histogram !== undefined) {
    addHistogram(lines, family, text, histogram);
    return;
  }
  // Of a plugin's `derive`: a counter that is no count would end the scrape.
  if (type === "counter" && !(value >= 0)) return;
  if (format === "openmetrics" && stateLabel !== undefined) {
    text = join(`${name}="${escape(labels[stateLabel] ?? "")}"`, text);
  }
  lines.push(`${name}${braced(text)} ${numberText(value)}`);
}

function addHistogram(
  lines: string[],
  { name, buckets = [] }: Family,
  labels: string,
  { counts, sum, count }: NonNullable<SeriesSnapshot["histogram"]>,
): void {
  let below = 0;
  for (const [i, n] of counts.entries()) {
    below += n;
    const le = `le="${boundText(buckets[i])}"`;
    lines.push(`${name}_bucket{${join(le, labels)}} ${below}`);
  }
  lines.push(
    `${name}_sum${braced(labels)} ${numberText(sum)}`,
    `${name}_count${braced(labels)} ${count}`,
  );
}

function labelText(labels: Readonly<Record<string, string>>): string {
  let text = "";
  for (const name in labels) {
    text = join(text, `${name}="${escape(labels[name] ?? "")}"`);
  }
  return text;
}

function join(a: string, b: string): string {
  return a === "" ? b : b === "" ? a : `${a},${b}`;
}

function braced(labels: string): string {
  return labels === "" ? "" : `{${labels}}`;
}

const SPECIAL = /[\\"\n]/;

/** A label value, or OpenMetrics' help: what a hostile user name can't break out of. */
function escape(text: string): string {
  if (!SPECIAL.test(text)) return text;
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')
    .replaceAll("\n", "\\n");
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}

/** OpenMetrics' canonical numbers, as Prometheus 3 stores them whatever it was sent. */
function boundText(bound: number | undefined): string {
  if (bound === undefined) return "+Inf";
  return Number.isInteger(bound) ? bound.toFixed(1) : String(bound);
}
