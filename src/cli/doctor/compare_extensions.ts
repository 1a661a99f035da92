import type { Finding } from "./finding.ts";
import { byName, majorVersion, rowsOf, type Snapshot } from "./snapshot.ts";

/** Extensions and their versions. */
export function compareExtensions(
  primary: Snapshot,
  mirror: Snapshot,
): Finding[] {
  const before = byName(rowsOf(primary, "extensions"));
  const after = byName(rowsOf(mirror, "extensions"));
  const sameMajor = majorVersion(primary) === majorVersion(mirror);
  return [...new Set([...before.keys(), ...after.keys()])].sort()
    .flatMap((name): Finding[] => {
      const [one, other] = [before.get(name), after.get(name)];
      const base = {
        group: "extensions",
        object: `extension ${name}`,
        primary: one?.version ?? "missing",
        mirror: other?.version ?? "missing",
      };
      if (one === undefined) {
        return [{
          ...base,
          severity: "note",
          rule: "extension_extra",
          what: "is on the mirror only",
          advice: "Nothing, unless it is not wanted",
        }];
      }
      if (other === undefined) {
        return [{
          ...base,
          severity: "error",
          rule: "extension_missing",
          what: "is missing on the mirror",
          advice: `Run CREATE EXTENSION ${name} on the mirror`,
        }];
      }
      const findings: Finding[] = [];
      if (one.version !== other.version) {
        const behind = other.version !== other.default_version;
        findings.push({
          ...base,
          severity: behind || sameMajor ? "warning" : "note",
          rule: "extension_version",
          what: behind
            ? `differs, and the mirror has files for ${other.default_version}`
            : "differs",
          advice: behind
            ? `Run ALTER EXTENSION ${name} UPDATE on the mirror`
            : "Read the extension's change log",
        });
      }
      if (one.schema !== other.schema) {
        findings.push({
          ...base,
          severity: "warning",
          rule: "extension_schema",
          what: "is in another schema",
          primary: `${one.schema}`,
          mirror: `${other.schema}`,
          advice: `Run ALTER EXTENSION ${name} SET SCHEMA on the mirror`,
        });
      }
      return findings;
    });
}
