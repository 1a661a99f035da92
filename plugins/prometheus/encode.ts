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
  const taken = new Set<string>();
  // Of what was tried, adding to one string is the fastest.
  let text = "";
  for (const family of families) {
    const name = familyName(family);
    if (taken.has(name)) continue;
    taken.add(name);
    text += format === "text"
      ? textHeader(family)
      : openMetricsHeader(family, name);
    text += family.buckets === undefined
      ? samples(family, format)
      : histograms(family, family.buckets);
  }
  return format === "openmetrics" ? `${text}# EOF\n` : text;
}

/** OpenMetrics' name of the family, without the suffix of its samples. */
function familyName({ name, type }: Family): string {
  if (type === "counter") return name.replace(/_total$/, "");
  if (type === "info") return name.replace(/_info$/, "");
  return name;
}

function textHeader({ name, help, type }: Family): string {
  const isGauge = type === "info" || type === "stateset";
  const escaped = help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return `# HELP ${name} ${escaped}\n` +
    `# TYPE ${name} ${isGauge ? "gauge" : type}\n`;
}

function openMetricsHeader({ help, type }: Family, name: string): string {
  const unit = /_(seconds|bytes)$/.exec(name)?.[1];
  const hasUnit = unit !== undefined && type !== "info" && type !== "stateset";
  return `# TYPE ${name} ${type}\n` +
    (hasUnit ? `# UNIT ${name} ${unit}\n` : "") +
    `# HELP ${name} ${escape(help)}\n`;
}

function samples(
  { name, type, stateLabel, series }: Family,
  format: Format,
): string {
  let text = "";
  for (const { labels, value } of series) {
    // Of a plugin's `derive`: a counter that is no count would end the scrape.
    if (type === "counter" && !(value >= 0)) continue;
    let inside = labelText(labels);
    if (format === "openmetrics" && stateLabel !== undefined) {
      const state = `${name}="${escape(labels[stateLabel] ?? "")}"`;
      inside = join(state, inside);
    }
    text += `${name}${braced(inside)} ${numberText(value)}\n`;
  }
  return text;
}

function histograms(
  { name, series }: Family,
  buckets: readonly number[],
): string {
  const starts = [...buckets, undefined].map((bound) =>
    `${name}_bucket{le="${boundText(bound)}"`
  );
  let text = "";
  for (const { labels, histogram } of series) {
    if (histogram === undefined) continue;
    const { counts, sum, count } = histogram;
    const inside = labelText(labels);
    const rest = inside === "" ? "} " : `,${inside}} `;
    let below = 0;
    for (let i = 0; i < counts.length; i++) {
      below += counts[i] ?? 0;
      text += `${starts[i]}${rest}${below}\n`;
    }
    text += `${name}_sum${braced(inside)} ${numberText(sum)}\n` +
      `${name}_count${braced(inside)} ${count}\n`;
  }
  return text;
}

/** A snapshot has the same label objects as the one before: most of a scrape's text is known. */
const LABEL_TEXTS = new WeakMap<SeriesSnapshot["labels"], string>();

function labelText(labels: SeriesSnapshot["labels"]): string {
  let text = LABEL_TEXTS.get(labels);
  if (text === undefined) {
    text = Object.entries(labels)
      .map(([name, value]) => `${name}="${escape(value)}"`).join(",");
    LABEL_TEXTS.set(labels, text);
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
