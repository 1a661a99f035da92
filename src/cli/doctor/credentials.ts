import type { Database } from "../../config/mod.ts";

/** How to log in to the source database. */
export interface Credentials {
  readonly user: string;
  readonly password: string | undefined;
}

/** Where they may come from, besides the configuration. */
export interface CredentialSources {
  /** `--user`. */
  readonly user?: string;
  /** What is in the file of `--password-file`. */
  readonly password?: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * The login for a source database. The relay needs none, so the configuration
 * need not have one. In this order: the command line, the configuration, libpq's
 * `PGUSER`. A password is taken from where the user is, else from
 * `--password-file` or `PGPASSWORD`.
 *
 * @returns undefined if no user is known.
 */
export function sourceCredentials(
  database: Pick<Database, "user" | "password">,
  sources: CredentialSources,
): Credentials | undefined {
  const { PGUSER, PGPASSWORD } = sources.env;
  const fromConfig = sources.user === undefined && database.user !== undefined;
  const user = sources.user ?? database.user ?? PGUSER;
  if (user === undefined) return undefined;
  const password = sources.password ??
    (fromConfig ? database.password : undefined) ?? PGPASSWORD;
  return { user, password };
}

/** For a person without a login. */
export const SOURCE_HINT =
  "Give the source database a login: user and password in [[databases]], or --user with --password-file, or PGUSER with PGPASSWORD";

/**
 * The first line of a file that holds a password.
 *
 * @throws {Error} if it can't be read or others may read it.
 */
export async function readPasswordFile(path: string): Promise<string> {
  const { mode } = await Deno.stat(path);
  if (mode !== null && (mode & 0o077) !== 0) {
    throw new Error(
      `${path} holds a password and is open to others; run: chmod 600 ${path}`,
    );
  }
  return (await Deno.readTextFile(path)).split(/\r?\n/, 1)[0] ?? "";
}
