import { compareRoles, inspectAccess } from "./compare_access.ts";
import {
  compareRowCounts,
  compareSequences,
  inspectStatistics,
  inspectValidity,
} from "./compare_data.ts";
import { compareCollations, inspectCollations } from "./compare_collations.ts";
import { compareExtensions } from "./compare_extensions.ts";
import { compareSchema } from "./compare_schema.ts";
import {
  compareIdentity,
  compareVersions,
  inspectLevel,
  type Level,
  relation,
} from "./compare_server.ts";
import { compareRoleSettings, compareSettings } from "./compare_settings.ts";
import { type Finding, SEVERITIES } from "./finding.ts";
import type { SetName } from "./sets.ts";
import { isTrue, rowsOf, type Snapshot } from "./snapshot.ts";

export interface CompareOptions {
  readonly level: Level;
  /** Goes on although the mirror is the primary itself. */
  readonly force: boolean;
}

/**
 * Everything that a person compares on the eve of a migration, the worst first
 * within its group. Without the primary only what the mirror's own catalogs tell.
 */
export function compareSnapshots(
  primary: Snapshot | undefined,
  mirror: Snapshot,
  options: CompareOptions,
): Finding[] {
  const { level, force } = options;
  const own = [
    ...inspectLevel(mirror, level),
    ...inspectPendingRestart(mirror),
    ...inspectCollations(mirror),
    ...inspectValidity(mirror),
    ...inspectStatistics(mirror, primary),
    ...inspectAccess(mirror, level, primary),
    ...unreadSets("mirror", mirror),
  ];
  if (primary === undefined) return ordered(own);
  const identity = compareIdentity(primary, mirror, { force });
  // One server compared with itself has no differences: nothing to be glad of.
  if (relation(primary, mirror) === "same_database" && !force) return identity;
  return ordered([
    ...identity,
    ...compareVersions(primary, mirror),
    ...compareSettings(primary, mirror),
    ...compareRoleSettings(primary, mirror),
    ...compareExtensions(primary, mirror),
    ...compareCollations(primary, mirror),
    ...compareSchema(primary, mirror),
    ...compareSequences(primary, mirror),
    ...compareRowCounts(primary, mirror),
    ...compareRoles(primary, mirror),
    ...own,
    ...unreadSets("primary", primary),
  ]);
}

const GROUPS = [
  "connection",
  "servers",
  "settings",
  "extensions",
  "collation",
  "schema",
  "data",
  "access",
  "unread",
];

function ordered(findings: readonly Finding[]): Finding[] {
  const place = ({ group, severity }: Finding) =>
    GROUPS.indexOf(group) * SEVERITIES.length + SEVERITIES.indexOf(severity);
  return findings.toSorted((a, b) => place(a) - place(b));
}

function inspectPendingRestart(mirror: Snapshot): Finding[] {
  return rowsOf(mirror, "settings")
    .filter(({ pending_restart }) => isTrue(pending_restart))
    .map(({ name }) => ({
      severity: "warning",
      group: "settings",
      rule: "pending_restart",
      object: `${name}`,
      what: "will have another value on the mirror after its restart",
      advice: "Restart the mirror before it is judged",
    }));
}

/** What a managed service commonly forbids, and what we can do without. */
const DISPENSABLE: readonly SetName[] = ["control"];

function unreadSets(side: "primary" | "mirror", snapshot: Snapshot): Finding[] {
  return (Object.entries(snapshot.unread) as [SetName, string][])
    .map(([set, reason]) => ({
      severity: DISPENSABLE.includes(set) ? "note" : "warning",
      group: "unread",
      rule: "unread",
      object: set.replaceAll("_", " "),
      what: `could not be read on the ${side}, and so were not compared`,
      [side]: reason,
      advice: `Let the ${side}'s login read its catalogs, or compare by hand`,
    }));
}
