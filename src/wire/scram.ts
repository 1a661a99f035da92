/**
 * SCRAM-SHA-256 for both sides (RFC 5802, RFC 7677), on synchronous
 * `node:crypto`, so that it works in a Worker whose event loop never turns.
 *
 * @module
 */

export {
  MAX_NONCE_LENGTH,
  MAX_SCRAM_MESSAGE_LENGTH,
  ScramError,
  type ScramErrorReason,
} from "./scram_attributes.ts";
export { SCRAM_SHA_256_PLUS, type ScramMechanism } from "./scram_binding.ts";
export { ScramClient, type ScramClientOptions } from "./scram_client.ts";
export {
  createVerifier,
  DEFAULT_ITERATIONS,
  formatVerifier,
  looksLikeVerifier,
  mockVerifier,
  parseVerifier,
  ScramKeyCache,
  type ScramVerifier,
} from "./scram_keys.ts";
export { ScramServer, type ScramServerOptions } from "./scram_server.ts";
