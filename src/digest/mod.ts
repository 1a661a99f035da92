/**
 * Digests of replies, the same for the primary's side and the mirror's.
 *
 * @module
 */

export { ReplyDigest } from "./reply_digest.ts";
export * from "./statement.ts";
