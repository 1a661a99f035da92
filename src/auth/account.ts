import {
  createVerifier,
  looksLikeVerifier,
  parseVerifier,
  type ScramVerifier,
} from "../wire/scram.ts";

/** A user as configured. */
export interface AccountSettings {
  readonly name: string;
  /** The databases that the user may open; undefined: all. */
  readonly databases?: readonly string[] | undefined;
  /** In clear, or what PostgreSQL stores: `SCRAM-SHA-256$…` or `md5…`. */
  readonly password?: string | undefined;
  /** Who the proxy logs in to the primary as; default: the same. */
  readonly server_user?: string | undefined;
  readonly server_password?: string | undefined;
}

/** A user as the workers know it; goes to them by postMessage. */
export interface Account {
  readonly name: string;
  readonly databases: readonly string[] | undefined;
  /** For `scram`; undefined if the password is an MD5 hash. */
  readonly verifier: ScramVerifier | undefined;
  /** For `plain` and `md5`; undefined if it is not known in clear. */
  readonly password: string | undefined;
  /** 32 hex digits: md5(password + name); undefined if the password is a verifier. */
  readonly md5: string | undefined;
  readonly serverUser: string;
  readonly serverPassword: string | undefined;
}

const MD5 = /^md5([0-9a-f]{32})$/;

/**
 * Prepares a user's password for logins. Derives keys, which blocks for a few
 * milliseconds.
 *
 * @param md5 of a password and a name, as PostgreSQL stores it without its prefix.
 * @throws {ScramError} if a stored verifier is malformed.
 */
export function accountFor(
  settings: AccountSettings,
  md5: (password: string, user: string) => string,
): Account {
  const { name, databases, password } = settings;
  const hash = MD5.exec(password ?? "")?.[1];
  const isVerifier = password !== undefined && looksLikeVerifier(password);
  const clear = hash !== undefined || isVerifier ? undefined : password;
  return {
    name,
    databases,
    password: clear,
    verifier: isVerifier
      ? parseVerifier(password)
      : !clear
      ? undefined
      : createVerifier(clear),
    md5: hash ?? (clear ? md5(clear, name) : undefined),
    serverUser: settings.server_user ?? name,
    serverPassword: settings.server_password ?? clear,
  };
}
