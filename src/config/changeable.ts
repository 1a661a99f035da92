import { type Config, databasesOf } from "./schema.ts";

/**
 * What RELOAD leaves as it was until the next start: sockets that are listened
 * on, threads, and what is laid out in shared memory before they begin.
 */
const FIXED_GENERAL = [
  "host",
  "port",
  "unix_socket_dir",
  "workers",
  "auth_type",
  "mirror_metrics_enabled",
  "admin_port",
  "openmetrics_port",
  "openmetrics_host",
  "openmetrics_namespace",
  "http_token",
  "openssl_folder",
] as const satisfies readonly (keyof Config["general"])[];

/** Whether RELOAD takes a key of a table; `[plugins.<id>]` is each plugin's own affair. */
export function isChangeable(table: string, key: string): boolean {
  switch (table) {
    case "general":
      return !(FIXED_GENERAL as readonly string[]).includes(key);
    case "admin":
      return key !== "name";
    default:
      return table !== "plugin";
  }
}

/** The configuration that RELOAD puts in force: `next`, with what needs a restart as it is `now`. */
export function withFixedKeys(now: Config, next: Config): Config {
  const fixed = Object.fromEntries(
    FIXED_GENERAL.map((key) => [key, now.general[key]]),
  );
  return {
    ...next,
    general: { ...next.general, ...fixed },
    admin: { ...next.admin, name: now.admin.name },
    plugin: now.plugin,
  };
}

/** A key whose value is another one, or an entry that came or went. */
export interface Change {
  /** `general.mirror_exposure`, `databases.shop`, `mirroring.shop/next.level`. No values: some are secret. */
  readonly key: string;
  readonly effect: "added" | "removed" | "changed" | "needs a restart";
}

/** Every difference between two configurations, plugins' own tables left out. */
export function changesBetween(now: Config, next: Config): Change[] {
  const table = (name: "general" | "admin") =>
    keyChanges(name, name, now[name], next[name]);
  return [
    ...table("general"),
    ...table("admin"),
    ...entryChanges("databases", now, next, ({ name }) => name),
    ...entryChanges(
      "mirroring",
      now,
      next,
      ({ source_db, destination_db }) => `${source_db}/${destination_db}`,
    ),
    ...entryChanges(
      "users",
      now,
      next,
      (user) => [user.name, ...databasesOf(user)?.slice(0, 1) ?? []].join("/"),
    ),
    ...whole("ignore", now, next),
    ...whole("exclude", now, next),
    ...whole("plugin", now, next),
  ];
}

function keyChanges(
  table: string,
  place: string,
  now: Readonly<Record<string, unknown>>,
  next: Readonly<Record<string, unknown>>,
): Change[] {
  return [...new Set([...Object.keys(now), ...Object.keys(next)])]
    .filter((key) => JSON.stringify(now[key]) !== JSON.stringify(next[key]))
    .map((key) => ({
      key: `${place}.${key}`,
      effect: isChangeable(table, key) ? "changed" : "needs a restart",
    }));
}

function entryChanges<T extends "databases" | "mirroring" | "users">(
  table: T,
  now: Config,
  next: Config,
  nameOf: (entry: Config[T][number]) => string,
): Change[] {
  const named = (config: Config) =>
    new Map(
      config[table].map((entry: Config[T][number]) => [nameOf(entry), entry]),
    );
  const [before, after] = [named(now), named(next)];
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((name) => {
    const [old, young] = [before.get(name), after.get(name)];
    const key = `${table}.${name}`;
    if (old === undefined) return [{ key, effect: "added" as const }];
    if (young === undefined) return [{ key, effect: "removed" as const }];
    return keyChanges(table, key, old, young);
  });
}

function whole(
  table: "ignore" | "exclude" | "plugin",
  now: Config,
  next: Config,
): Change[] {
  if (JSON.stringify(now[table]) === JSON.stringify(next[table])) return [];
  return [{
    key: table,
    effect: isChangeable(table, "") ? "changed" : "needs a restart",
  }];
}
