import { createHash } from "node:crypto";

/**
 * The text of a PasswordMessage that answers AuthenticationMD5Password
 * (protocol manual, section "Start-up"): `md5` + md5(md5(password + user) + salt).
 *
 * @param salt the four bytes of the request
 */
export function md5Password(
  user: string,
  password: string,
  salt: Uint8Array,
): string {
  const inner = createHash("md5").update(password + user, "utf8").digest("hex");
  const outer = createHash("md5").update(inner, "ascii").update(salt);
  return `md5${outer.digest("hex")}`;
}
