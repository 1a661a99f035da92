import {
  type AdminColumn,
  type AdminCommand,
  type ExcludeRule,
  excludeRuleText,
  type Exclusion,
  type MetricSpec,
} from "../../src/plugin/api.ts";

/** What is left out by a rule, or as unsafe, and how often it was. */
export interface ExcludeUse {
  readonly kind: Exclusion["reason"];
  /** What the rule is about, or the name by which `allow_unsafe` lets it through. */
  readonly name: string;
  readonly reason: string;
  /** Null: it has left nothing out yet. */
  readonly mirror: string | null;
  /** Transactions, since the process began. */
  readonly excluded: number;
}

/** Every rule of `[[exclude]]`, and what else has left something out. */
export function excludeUses(
  rules: readonly ExcludeRule[],
  exclusions: readonly Exclusion[],
): ExcludeUse[] {
  const reasons = new Map(
    rules.map((rule) => [excludeRuleText(rule), rule.reason]),
  );
  const used = exclusions.map(({ reason: kind, name, mirror, count }) => ({
    kind,
    name,
    reason: kind === "unsafe"
      ? "reaches beyond the mirror's database"
      : reasons.get(name) ?? "no longer configured",
    mirror,
    excluded: count,
  }));
  const unused = [...reasons].filter(([name]) =>
    !exclusions.some((one) => one.reason === "rule" && one.name === name)
  ).map(([name, reason]): ExcludeUse => ({
    kind: "rule",
    name,
    reason,
    mirror: null,
    excluded: 0,
  }));
  return [...used, ...unused];
}

/** The same as a metric, a series for each that has left something out. */
export function exclusionMetric(all: () => readonly Exclusion[]): MetricSpec {
  const labels = ({ database, mirror, reason, name }: Exclusion) => ({
    database,
    mirror,
    reason,
    name,
  });
  return {
    name: "mirror_exclusions_total",
    help:
      "Transactions that a rule of [[exclude]] left out, or a kind of what is unsafe",
    type: "counter",
    scope: "process",
    // Known as they come.
    get sets() {
      return all().map(labels);
    },
    derive: (_get, _label, set) =>
      all().find((one) =>
        one.database === set?.database && one.mirror === set.mirror &&
        one.reason === set.reason && one.name === set.name
      )?.count ?? 0,
  };
}

/** SHOW MIRROR EXCLUDES. */
export function excludesCommand(
  uses: () => readonly ExcludeUse[],
): AdminCommand {
  const text = (name: string, help: string): AdminColumn => ({
    name,
    type: "text",
    help,
  });
  return {
    words: "SHOW MIRROR EXCLUDES",
    help: "What rules of [[exclude]], and being unsafe, leave out",
    columns: [
      text("kind", "rule, or unsafe"),
      text("name", "What the rule is about; the name for allow_unsafe"),
      text("reason", "Why it is not replayed"),
      {
        name: "excluded",
        type: "int8",
        help: "Transactions since the process began",
      },
      text("mirror", "Destination database"),
    ],
    rows: () =>
      uses().map(({ kind, name, reason, excluded, mirror }) => [
        kind,
        name,
        reason,
        excluded,
        mirror,
      ]),
  };
}
