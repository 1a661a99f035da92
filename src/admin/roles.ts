import { AdminError, SQLSTATE } from "./admin_error.ts";

/** Who is at the console: the admin may do all, the stats user reads figures. */
export type Role = "admin" | "stats";

/**
 * What a stats user may run. What is not here is for the admin only: the
 * configuration, what changes anything, and commands of a user's own plugins.
 */
const STATS: ReadonlySet<string> = new Set([
  "SHOW HELP",
  "SHOW VERSION",
  "SHOW DATABASES",
  "SHOW CLIENTS",
  "SHOW SERVERS",
  "SHOW STATS",
  "SHOW PLUGINS",
  "SHOW MIRRORS",
  "SHOW MIRROR_STATS",
  "SHOW MIRROR_STATS_BY_DATABASE",
  "SHOW MIRROR READINESS",
  "SHOW MIRROR RULES",
  "SHOW MIRROR GIVEN",
  "SHOW MIRROR DIFFS",
  "SHOW MIRROR STATEMENTS",
  "SHOW MIRROR HISTORY",
]);

/** @throws {AdminError} 42501 if `role` may not run the command with these words. */
export function checkRole(role: Role, words: string): void {
  if (role === "admin" || STATS.has(words)) return;
  throw new AdminError(
    SQLSTATE.insufficientPrivilege,
    `permission denied for command ${words}`,
    "The stats user only reads; log in as the admin user.",
  );
}
