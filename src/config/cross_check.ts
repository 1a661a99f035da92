import type { KeyPath } from "./positions.ts";
import { nearestName } from "./problems.ts";
import { UNSAFE_KINDS } from "../sql/unsafe_kinds.ts";
import { type Config, databasesOf, type User } from "./schema.ts";

type Report = (path: KeyPath, message: string) => void;

/** What no single key can tell: names that must exist, and must differ. */
export function crossCheck(
  config: Config,
  problem: Report,
  warning: Report,
  { usersElsewhere }: { readonly usersElsewhere: boolean },
): void {
  const { general, databases, mirroring, exclude, admin } = config;
  const names = databases.map(({ name }) => name);
  databases.forEach(({ name }, i) => {
    if (names.indexOf(name) < i) {
      problem(["databases", i, "name"], `"${name}" is there twice`);
    }
    if (name === admin.name) {
      problem(
        ["databases", i, "name"],
        `"${name}" is the admin console's name; change one of the two`,
      );
    }
  });
  exclude.forEach(({ database }, i) => {
    if (database === undefined || names.includes(database)) return;
    const nearest = nearestName(database, names);
    problem(
      ["exclude", i, "database"],
      `"${database}" is not in [[databases]]${
        nearest ? `; did you mean "${nearest}"?` : ""
      }`,
    );
  });
  mirroring.forEach((entry, i) => {
    for (const key of ["source_db", "destination_db"] as const) {
      if (names.includes(entry[key])) continue;
      const nearest = nearestName(entry[key], names);
      problem(
        ["mirroring", i, key],
        `"${entry[key]}" is not in [[databases]]${
          nearest ? `; did you mean "${nearest}"?` : ""
        }`,
      );
    }
    entry.allow_unsafe.forEach((name, at) => {
      const kinds: readonly string[] = UNSAFE_KINDS;
      if (kinds.includes(name)) return;
      const nearest = nearestName(name, kinds);
      problem(
        ["mirroring", i, "allow_unsafe", at],
        `"${name}" is nothing that is left out as unsafe${
          nearest ? `; did you mean "${nearest}"?` : ""
        }`,
      );
    });
    if (entry.source_db === entry.destination_db) {
      problem(["mirroring", i, "destination_db"], "is the source itself");
    }
    const same = mirroring.findIndex((other) =>
      other.source_db === entry.source_db &&
      other.destination_db === entry.destination_db
    );
    if (same < i) problem(["mirroring", i], "is there twice");
    const destination = databases.findIndex(({ name }) =>
      name === entry.destination_db
    );
    if (destination >= 0 && databases[destination]?.user === undefined) {
      problem(
        ["databases", destination],
        `"${entry.destination_db}" is a mirror and needs a user to log in with`,
      );
    }
    const source = databases.find(({ name }) => name === entry.source_db);
    const mirror = databases[destination];
    if (
      source !== undefined && mirror !== undefined && source !== mirror &&
      source.host === mirror.host && source.port === mirror.port &&
      (source.database_name ?? source.name) ===
        (mirror.database_name ?? mirror.name)
    ) {
      problem(
        ["mirroring", i],
        "source and destination are the same database: every write would happen twice",
      );
    }
  });
  if (!usersElsewhere) checkUsers(config, problem, warning);
  const ports = [
    ["port", general.port],
    ["admin_port", general.admin_port],
    ["openmetrics_port", general.openmetrics_port],
  ] as const;
  ports.forEach(([key, port], i) => {
    const other = ports.findIndex(([, p]) => p === port);
    if (port !== 0 && other < i) {
      problem(["general", key], `${port} is the ${ports[other]?.[0]} too`);
    }
  });
  if (mirroring.length === 0) {
    warning([], "no [[mirroring]]: everything is relayed, nothing is mirrored");
  }
  if (admin.stats_password !== undefined && admin.stats_user === admin.user) {
    problem(["admin", "stats_user"], `"${admin.user}" is the admin user, too`);
  }
  if (admin.password === undefined) {
    warning(["admin"], "no password: nobody can log in to the admin console");
  }
  if (general.http_token === undefined && general.openmetrics_port !== 0) {
    if (!isLoopback(general.openmetrics_host)) {
      warning(
        ["general", "openmetrics_host"],
        `everybody who reaches ${general.openmetrics_host} can read statements and counts; set http_token`,
      );
    }
    if (general.mirror_examples === "clear") {
      warning(
        ["general", "mirror_examples"],
        "values of statements are not shown over HTTP without http_token",
      );
    }
  }
  for (const [i, plugin] of config.plugin.entries()) {
    if (!/\.(?:ts|js|mjs)$/.test(plugin.path)) {
      problem(["plugin", i, "path"], "must be a .ts, .js or .mjs file");
    }
  }
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}

/** Verifiers and hashes of PostgreSQL's: they can't be sent to a server. */
const STORED = /^(?:SCRAM-SHA-256\$|md5[0-9a-f]{32}$)/;

/** What an entry says of logins; the rest of it is obeyed where the primary knows the users, too. */
const LOGIN_KEYS = [
  "database",
  "databases",
  "all_databases",
  "password",
  "server_user",
  "server_password",
] as const satisfies readonly (keyof User)[];

/** Two ways to say which databases must not say two things. */
function checkReach(
  { database, databases, all_databases }: User,
  problem: (key: string, message: string) => void,
): void {
  const named = database !== undefined || databases !== undefined;
  if (database !== undefined && databases !== undefined) {
    problem(
      "databases",
      "says which databases, and so does database: keep one",
    );
  }
  if (all_databases === true && named) {
    problem(
      "all_databases",
      "is true, and databases are named: leave out one of the two",
    );
  }
  if (all_databases === false && !named) {
    problem(
      "all_databases",
      "is false, and no database is named: nobody could log in; name them in databases",
    );
  }
}

/** A user with several entries is one user still. */
function checkOneLimit(users: readonly User[], problem: Report): void {
  const limits = new Map<string, number>();
  users.forEach(({ name, max_clients: limit }, i) => {
    if (limit === undefined) return;
    const other = limits.get(name) ?? limit;
    limits.set(name, other);
    if (other === limit) return;
    problem(
      ["users", i, "max_clients"],
      `is ${limit}, and ${other} in another entry of "${name}": it is the user's, over all databases; keep one`,
    );
  });
}

function checkUsers(
  { general, users, databases }: Config,
  problem: Report,
  warning: Report,
): void {
  const type = general.auth_type;
  checkOneLimit(users, problem);
  if (type === "relay") {
    users.forEach((user, i) => {
      const key = LOGIN_KEYS.find((name) => user[name] !== undefined);
      if (key === undefined) return;
      problem(
        ["users", i, key],
        'is not obeyed with auth_type = "relay": the primary lets in whom it knows, to all databases; set another auth_type, or take the user out',
      );
    });
    if (users.some(({ max_clients }) => max_clients === undefined)) {
      warning(
        ["users"],
        'are not used: with auth_type = "relay" the primary knows its users',
      );
    }
    return;
  }
  if (users.length === 0) {
    problem(
      ["general", "auth_type"],
      `"${type}" needs [[users]], here or in a file given with --users`,
    );
  }
  if (type === "plain" && !general.tls_client_required) {
    warning(
      ["general", "auth_type"],
      '"plain" sends passwords in clear; set tls_client_required = true',
    );
  }
  const known = new Set<string>();
  users.forEach((user, i) => {
    checkReach(user, (key, message) => problem(["users", i, key], message));
    const reach = databasesOf(user);
    for (const database of reach ?? [undefined]) {
      const key = JSON.stringify([user.name, database]);
      if (known.has(key)) {
        problem(["users", i], `"${user.name}" is there twice`);
      }
      known.add(key);
      if (
        database !== undefined &&
        !databases.some(({ name }) => name === database)
      ) {
        problem(
          ["users", i, user.database === undefined ? "databases" : "database"],
          `"${database}" is not in [[databases]]`,
        );
      }
    }
    const { password = "" } = user;
    if (type !== "trust" && password === "") {
      problem(["users", i, "password"], `is missing: nobody could log in`);
    }
    const stored = STORED.exec(password)?.[0];
    if (stored === undefined) return;
    if (type === "plain" || (type === "md5") !== stored.startsWith("md5")) {
      problem(
        ["users", i, "password"],
        `is stored for another auth_type than "${type}"`,
      );
    }
    if (user.server_password === undefined) {
      warning(
        ["users", i],
        "has no server_password: the proxy can log in to the primary with trust only",
      );
    }
  });
}
