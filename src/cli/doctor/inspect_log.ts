import type { Finding } from "./finding.ts";
import { byName, isTrue, rowsOf, type Snapshot } from "./snapshot.ts";

/**
 * Whether the proxy can read the primary's log, as `mirror_values = "log"` asks
 * for, and what is missing.
 *
 * @param user of the source database in `[[databases]]`.
 */
export function inspectLog(
  primary: Snapshot,
  user: string | undefined,
): Finding[] {
  const settings = byName(rowsOf(primary, "settings"));
  const role = byName(rowsOf(primary, "roles")).get(user ?? "");
  const level = settings.get("wal_level")?.value ?? "unknown";
  const slots = settings.get("max_replication_slots")?.value ?? "unknown";
  const missing: Finding[] = [];
  const lacks = (what: string, found: string, advice: string) =>
    void missing.push({
      ...LOG,
      severity: "warning",
      what: `can't be read: ${what}`,
      primary: found,
      advice,
    });
  if (level !== "logical") {
    lacks(
      "it does not tell rows",
      `wal_level = ${level}`,
      "Set wal_level = logical on the primary, which takes a restart",
    );
  }
  if (slots === "0") {
    lacks(
      "there is no slot",
      "max_replication_slots = 0",
      "Leave one slot for each mirror, which takes a restart",
    );
  }
  if (user === undefined) {
    lacks(
      "the proxy has no login of its own",
      "no user",
      "Give the source database a user in [[databases]]",
    );
  } else if (!isTrue(role?.replication) && !isTrue(role?.superuser)) {
    lacks(
      "the proxy's login may not",
      `${user} has not REPLICATION`,
      `Run ALTER ROLE ${user} REPLICATION (a managed service may have a role to grant instead)`,
    );
  }
  return missing.length > 0 ? missing : [{
    ...LOG,
    severity: "note",
    what: "can be read",
    advice: "Nothing is to be done",
  }];
}

const LOG = {
  group: "servers",
  rule: "primary_log",
  object: "the primary's log",
} as const;
