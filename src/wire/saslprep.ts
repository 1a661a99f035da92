import { saslprep } from "@mongodb-js/saslprep";

/**
 * Prepares a password as PostgreSQL does (RFC 4013, `pg_saslprep` in
 * `src/common/saslprep.c`): what SASLprep prohibits or empties goes as it is,
 * so that any password can be used.
 */
export function preparePassword(password: string): string {
  try {
    return saslprep(password);
  } catch {
    return password;
  }
}
