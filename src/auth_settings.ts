import { createHash, randomBytes } from "node:crypto";
import { accountFor } from "./auth/mod.ts";
import type { Config } from "./config/mod.ts";
import type { AuthSettings } from "./proxy/own_login.ts";

/** How clients log in; undefined where the primary's authentication is relayed. Derives keys, which blocks. */
export function authSettings(config: Config): AuthSettings | undefined {
  const { auth_type: type } = config.general;
  if (type === "relay") return undefined;
  return {
    type,
    accounts: config.users.map((user) => accountFor(user, md5)),
    mockSecret: randomBytes(32),
  };
}

/** As PostgreSQL stores it, without its prefix. */
function md5(password: string, user: string): string {
  return createHash("md5").update(password + user).digest("hex");
}
