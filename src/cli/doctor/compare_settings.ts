import type { Finding, Severity } from "./finding.ts";
import {
  canonicalSetting,
  type SettingEffect,
  settingEffect,
} from "./settings_table.ts";
import { byName, isTrue, type Row, rowsOf, type Snapshot } from "./snapshot.ts";

const SEVERITY: Readonly<Record<SettingEffect, Severity>> = {
  results: "error",
  plans: "warning",
  capacity: "warning",
};
const EFFECT_TEXT: Readonly<Record<SettingEffect, string>> = {
  results: "changes results",
  plans: "changes plans or speed",
  capacity: "is lower on the mirror",
};
const ADVICE =
  "Set the same on the mirror, unless the difference is what you want to try";

/** What sessions of the two logins begin with. */
export function compareSettings(
  primary: Snapshot,
  mirror: Snapshot,
): Finding[] {
  const before = byName(rowsOf(primary, "settings"));
  const after = byName(rowsOf(mirror, "settings"));
  return [...new Set([...before.keys(), ...after.keys()])].sort()
    .flatMap((name) => {
      const finding = compareSetting(name, before.get(name), after.get(name));
      return finding === undefined ? [] : [finding];
    });
}

function compareSetting(
  name: string,
  primary: Row | undefined,
  mirror: Row | undefined,
): Finding | undefined {
  const effect = settingEffect(name);
  if (effect === undefined) return undefined;
  const base = {
    group: "settings",
    object: name,
    primary: shown(primary),
    mirror: shown(mirror),
  };
  if (primary === undefined || mirror === undefined) {
    const there = primary ?? mirror;
    // Not in that version, or only pg_read_all_settings may see it.
    return there === undefined || isDefault(there) ? undefined : {
      ...base,
      severity: "note",
      rule: "setting_one_side",
      what: `is seen on the ${
        mirror === undefined ? "primary" : "mirror"
      } only`,
      advice:
        "The other version does not have it, or its login may not see it (grant pg_read_all_settings)",
    };
  }
  const [before, after] = [primary.value ?? "", mirror.value ?? ""];
  if (canonicalSetting(name, before) === canonicalSetting(name, after)) {
    return undefined;
  }
  if (effect === "capacity" && !isLower(after, before)) return undefined;
  if (effect === "plans" && isDefault(primary) && isDefault(mirror)) {
    return {
      ...base,
      severity: "note",
      rule: "setting_default",
      what: "is at its default, which differs between the versions",
      advice: "Nothing, unless timings differ",
    };
  }
  return {
    ...base,
    severity: SEVERITY[effect],
    rule: `setting_${effect}`,
    what: EFFECT_TEXT[effect],
    advice: ADVICE,
  };
}

function isDefault({ value, default_value }: Row): boolean {
  return value === default_value;
}

/** -1 stands for no limit. */
function isLower(value: string, than: string): boolean {
  const amount = (text: string) => text === "-1" ? Infinity : Number(text);
  return amount(value) < amount(than);
}

function shown(row: Row | undefined): string {
  if (row === undefined) return "not seen";
  const { value, unit } = row;
  return unit && !value?.startsWith("-") ? `${value} × ${unit}` : `${value}`;
}

/** Settings of roles and of the database (ALTER ROLE SET, ALTER DATABASE SET). */
export function compareRoleSettings(
  primary: Snapshot,
  mirror: Snapshot,
): Finding[] {
  const before = byPlace(rowsOf(primary, "role_settings"));
  const after = byPlace(rowsOf(mirror, "role_settings"));
  const findings: Finding[] = [];
  for (
    const place of [...new Set([...before.keys(), ...after.keys()])].sort()
  ) {
    const [one, other] = [before.get(place), after.get(place)];
    const there = one ?? other;
    if (there === undefined || one?.value === other?.value) continue;
    // The replays' own login: what it amounts to is compared as settings.
    if (one === undefined && there.role === mirror.user) continue;
    const effect = settingEffect(there.setting ?? "");
    findings.push({
      severity: effect === "results" ? "error" : "warning",
      group: "settings",
      rule: "role_setting",
      object: place,
      what: "differs",
      primary: shownValue(one),
      mirror: shownValue(other),
      advice:
        "Run the same ALTER ROLE or ALTER DATABASE … SET on the mirror: clients that move there get it",
    });
  }
  return [...findings, ...notReplayed(primary, mirror)];
}

/**
 * Replays log in as one user: what clients' roles are given on the primary
 * holds for a replay only if that user is given the same.
 */
function notReplayed(primary: Snapshot, mirror: Snapshot): Finding[] {
  const given = rowsOf(mirror, "role_settings")
    .filter(({ role }) => role === mirror.user || role === "");
  return rowsOf(primary, "role_settings").flatMap((row): Finding[] => {
    const { role, setting, value } = row;
    const effect = settingEffect(setting ?? "");
    if (
      role === "" || role === mirror.user || !isTrue(row.can_login) ||
      effect === undefined || effect === "capacity" ||
      given.some((g) => g.setting === setting && g.value === value)
    ) return [];
    return [{
      severity: "warning",
      group: "settings",
      rule: "role_setting_not_replayed",
      object: placeOf(row),
      what: `does not hold for replays: they log in as "${mirror.user}"`,
      primary: shownValue(row),
      advice:
        "If clients of this role are mirrored, set the same for the replays' user on the mirror",
    }];
  });
}

function byPlace(rows: readonly Row[]): Map<string, Row> {
  return new Map(rows.map((row) => [placeOf(row), row]));
}

function placeOf({ role, in_database, setting }: Row): string {
  const who = role === "" ? "all roles" : `role ${role}`;
  return `${who}${isTrue(in_database) ? " in this database" : ""}: ${setting}`;
}

/** An application's own parameters may be secrets. */
function shownValue(row: Row | undefined): string {
  if (row === undefined) return "not set";
  return row.setting?.includes(".") ? "(hidden)" : `${row.value}`;
}
