import { createHash, randomBytes } from "node:crypto";
import { accountFor } from "../auth/mod.ts";
import { type Config, databasesOf } from "../config/mod.ts";
import type { AuthSettings } from "../proxy/own_login.ts";

/**
 * Says how clients log in; undefined where the primary's authentication is
 * relayed. It derives keys, which blocks, once for each list of users; its
 * secret is the same as long as the process lives.
 */
export function createAuthSettings(): (
  config: Config,
) => AuthSettings | undefined {
  const mockSecret = randomBytes(32);
  let known: { users: Config["users"]; settings: AuthSettings } | undefined;
  return ({ general, users }) => {
    const { auth_type: type } = general;
    if (type === "relay") return undefined;
    if (known?.users !== users) {
      const accounts = users.map((user) =>
        accountFor({ ...user, databases: databasesOf(user) }, md5)
      );
      known = { users, settings: { type, accounts, mockSecret } };
    }
    return known.settings;
  };
}

/** As PostgreSQL stores it, without its prefix. */
function md5(password: string, user: string): string {
  return createHash("md5").update(password + user).digest("hex");
}
