import type { Finding } from "./finding.ts";
import { canonicalLocale } from "./settings_table.ts";
import { byName, type Row, rowOf, rowsOf, type Snapshot } from "./snapshot.ts";

/** How text is encoded, sorted and classified in the database. */
export function compareCollations(
  primary: Snapshot,
  mirror: Snapshot,
): Finding[] {
  const [one, other] = [rowOf(primary, "database"), rowOf(mirror, "database")];
  const findings: Finding[] = [];
  const differ = (
    severity: Finding["severity"],
    rule: string,
    object: string,
    before: string | null | undefined,
    after: string | null | undefined,
    advice: string,
  ) => {
    if ((before ?? "") === (after ?? "")) return;
    findings.push({
      severity,
      group: "collation",
      rule,
      object,
      what: "differs",
      primary: before ?? "none",
      mirror: after ?? "none",
      advice,
    });
  };
  const create =
    "Create the mirror's database anew with the primary's (CREATE DATABASE … TEMPLATE template0)";
  differ("error", "encoding", "encoding", one.encoding, other.encoding, create);
  const locale = (name: string | null | undefined) =>
    canonicalLocale(name ?? "");
  for (
    const [rule, object] of [["collate", "LC_COLLATE"], [
      "ctype",
      "LC_CTYPE",
    ]] as const
  ) {
    differ(
      "error",
      rule,
      object,
      locale(one[rule]),
      locale(other[rule]),
      create,
    );
  }
  const provider = "collation provider";
  differ("error", "provider", provider, one.provider, other.provider, create);
  differ("error", "locale", "locale", one.locale, other.locale, create);
  if (one.provider === other.provider) {
    versionsDiffer("database", one, other);
  }
  const after = byName(rowsOf(mirror, "collations"));
  for (const before of rowsOf(primary, "collations")) {
    const same = after.get(before.name ?? "");
    if (same !== undefined) {
      versionsDiffer(`collation ${before.name}`, before, same);
    }
  }
  return findings;

  function versionsDiffer(
    object: string,
    before: Row,
    after: Row,
  ) {
    // 14 and earlier do not know the version of libc's.
    if (before.actual_version == null || after.actual_version == null) return;
    differ(
      "warning",
      "collation_version",
      `${object}: version of its rules`,
      before.actual_version,
      after.actual_version,
      "Text may sort otherwise on the mirror; a physical copy needs its indexes on text rebuilt (REINDEX)",
    );
  }
}

/** Indexes on text may be out of order where the rules' version has changed under them. */
export function inspectCollations(mirror: Snapshot): Finding[] {
  const rows = [
    ...rowsOf(mirror, "database").map((row) => ({ ...row, name: "database" })),
    ...rowsOf(mirror, "collations").map((row) => ({
      ...row,
      name: `collation ${row.name}`,
    })),
  ];
  return rows.flatMap(
    (row: Row): Finding[] => {
      const { name, recorded_version: recorded, actual_version: actual } = row;
      if (recorded == null || actual == null || recorded === actual) return [];
      return [{
        severity: "error",
        group: "collation",
        rule: "collation_mismatch",
        object: `${name}`,
        what: "was made with another version of its rules than the server has",
        mirror: `made with ${recorded}, has ${actual}`,
        advice:
          "Rebuild the indexes on text (REINDEX), then ALTER DATABASE or COLLATION … REFRESH VERSION",
      }];
    },
  );
}
