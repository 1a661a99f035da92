import { replicaWarning } from "../../control/replica_warning.ts";
import type { Finding } from "./finding.ts";
import { isTrue, majorVersion, rowOf, type Snapshot } from "./snapshot.ts";

/** Which transactions are replayed: `level` of `[[mirroring]]`. */
export type Level = "all" | "dml" | "ddl" | "read";

/**
 * Whether both connections ended in one server. The system identifier is not
 * enough: physical replicas and restored copies share it. So the moment of the
 * start counts too, and alone where the identifier is not permitted to be seen.
 */
export function relation(
  primary: Snapshot,
  mirror: Snapshot,
): "same_database" | "same_server" | "copy" | "other" {
  const [one, other] = [rowOf(primary, "server"), rowOf(mirror, "server")];
  const ids = [primary, mirror].map((side) =>
    rowOf(side, "control").system_identifier ?? undefined
  );
  const idsDiffer = ids[0] !== undefined && ids[1] !== undefined &&
    ids[0] !== ids[1];
  if (!idsDiffer && one.started_at === other.started_at) {
    return one.database_oid === other.database_oid
      ? "same_database"
      : "same_server";
  }
  return ids[0] !== undefined && ids[0] === ids[1] ? "copy" : "other";
}

/** That the mirror is another server than the primary, and which. */
export function compareIdentity(
  primary: Snapshot,
  mirror: Snapshot,
  options: { readonly force: boolean },
): Finding[] {
  const base = {
    group: "servers",
    rule: "identity",
    object: "mirror",
    primary: identityText(primary),
    mirror: identityText(mirror),
  };
  switch (relation(primary, mirror)) {
    case "same_database":
      return [{
        ...base,
        severity: options.force ? "warning" : "error",
        what: "is the primary itself: every write would happen twice",
        advice: "Give [[mirroring]] another destination",
      }];
    case "same_server":
      return [{
        ...base,
        severity: "warning",
        what: "is another database on the primary's own server",
        advice:
          "Replays take the primary's CPU, memory and disk; prefer a server of its own",
      }];
    case "copy":
      return [{
        ...base,
        severity: "note",
        what:
          "is a physical copy of the primary (the system identifier is the same)",
        advice: "Nothing",
      }];
    case "other":
      return [];
  }
}

function identityText(snapshot: Snapshot): string {
  const { started_at, database_oid } = rowOf(snapshot, "server");
  const id = rowOf(snapshot, "control").system_identifier ?? "not permitted";
  return `system identifier ${id}, database OID ${database_oid}, started ${started_at} UTC`;
}

/** Versions, and what the primary is. */
export function compareVersions(
  primary: Snapshot,
  mirror: Snapshot,
): Finding[] {
  const findings: Finding[] = [];
  const [one, other] = [rowOf(primary, "server"), rowOf(mirror, "server")];
  if (one.version_num !== other.version_num) {
    const older = Number(other.version_num) < Number(one.version_num);
    const majors = majorVersion(primary) !== majorVersion(mirror);
    findings.push({
      severity: older && majors ? "warning" : "note",
      group: "servers",
      rule: "version",
      object: "server version",
      what: older ? "is older on the mirror" : "is newer on the mirror",
      primary: `${one.version}`,
      mirror: `${other.version}`,
      advice: majors
        ? "Read the release notes' section on incompatibilities"
        : "Nothing, unless the difference is not wanted",
    });
  }
  if (isTrue(one.in_recovery)) {
    findings.push({
      severity: "warning",
      group: "servers",
      rule: "primary_in_recovery",
      object: "primary",
      what: "is a physical replica: its clients can write nothing",
      advice: "Check the host of the source database",
    });
  }
  return findings;
}

/** That the mirror can take what `level` replays. */
export function inspectLevel(mirror: Snapshot, level: Level): Finding[] {
  const { version, in_recovery, subscriptions } = rowOf(mirror, "server");
  const what = replicaWarning({
    version: `${version}`,
    inRecovery: isTrue(in_recovery),
    subscriptions: Number(subscriptions),
  }, level);
  return what === undefined ? [] : [{
    severity: level === "read" ? "warning" : "error",
    group: "servers",
    rule: "replica",
    object: `level = "${level}"`,
    what,
    mirror: `in recovery: ${
      isTrue(in_recovery) ? "yes" : "no"
    }, subscriptions: ${subscriptions}`,
    advice: "Change level in [[mirroring]], or the mirror",
  }];
}
