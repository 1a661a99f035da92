import type { Level } from "./compare_server.ts";
import type { Finding } from "./finding.ts";
import { byName, isTrue, rowsOf, type Snapshot } from "./snapshot.ts";

/** Roles that clients or grants need, and what they may do. */
export function compareRoles(primary: Snapshot, mirror: Snapshot): Finding[] {
  const after = byName(rowsOf(mirror, "roles"));
  if (mirror.sets.roles === undefined) return [];
  return rowsOf(primary, "roles").flatMap((before): Finding[] => {
    const other = after.get(before.name ?? "");
    const base = { group: "access", object: `role ${before.name}` } as const;
    if (other === undefined) {
      return [{
        ...base,
        severity: "warning",
        rule: "role_missing",
        what: "is missing on the mirror",
        advice:
          "Create it (pg_dumpall --roles-only): its clients could not log in after the switch, and SET ROLE fails in replays",
      }];
    }
    return Object.keys(before)
      .filter((column) => column !== "name" && before[column] !== other[column])
      .map((column): Finding => ({
        ...base,
        severity: "warning",
        rule: "role_attribute",
        what: `${column.replaceAll("_", " ")} differs`,
        primary: `${before[column]}`,
        mirror: `${other[column]}`,
        advice: "Run ALTER ROLE on the mirror",
      }));
  });
}

/** What the replays' user may not do, or does beyond row security. */
export function inspectAccess(
  mirror: Snapshot,
  level: Level,
  primary?: Snapshot,
): Finding[] {
  const user = `"${mirror.user}"`;
  const secured = byName(
    rowsOf(primary ?? mirror, "relations")
      .filter((row) => isTrue(row.row_security)),
  );
  const relations = rowsOf(mirror, "relations").flatMap((row): Finding[] => {
    const base = {
      severity: "warning",
      group: "access",
      object: `${row.kind} ${row.name}`,
    } as const;
    const lacks = !isTrue(row.can_read)
      ? "select"
      : level !== "read" && !isTrue(row.can_write) &&
          /table/.test(`${row.kind}`)
      ? "insert, update or delete"
      : undefined;
    const findings: Finding[] = [];
    if (lacks !== undefined) {
      findings.push({
        ...base,
        rule: "privilege",
        what: `replays log in as ${user}, who lacks ${lacks}`,
        advice:
          `Grant ${user} on the mirror what the clients have on the primary`,
      });
    }
    if (
      isTrue(row.row_security) && !isTrue(row.row_security_active) &&
      secured.has(row.name ?? "")
    ) {
      findings.push({
        ...base,
        rule: "row_security_bypassed",
        what: `row security does not hold for ${user}, as whom replays log in`,
        advice:
          "Replays see rows that clients do not; let them log in as a role like the clients'",
      });
    }
    return findings;
  });
  const sequences = level === "read"
    ? []
    : rowsOf(mirror, "sequences").filter((row) => !isTrue(row.can_use));
  return [
    ...relations,
    ...sequences.map(({ name }): Finding => ({
      severity: "warning",
      group: "access",
      rule: "privilege",
      object: `sequence ${name}`,
      what: `replays log in as ${user}, who lacks usage`,
      advice:
        `Grant ${user} on the mirror what the clients have on the primary`,
    })),
  ];
}
