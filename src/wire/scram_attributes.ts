/**
 * The attribute lists of RFC 5802, section 7: `a=value,b=value`, read strictly
 * and in order.
 *
 * @module
 */

/** Longest SCRAM message that is read. PostgreSQL's own are under 200 bytes. */
export const MAX_SCRAM_MESSAGE_LENGTH = 2048;
/** Longest nonce of one side. PostgreSQL's are 24 characters. */
export const MAX_NONCE_LENGTH = 256;
/** Longest salt, in bytes. PostgreSQL's are 16. */
export const MAX_SALT_BYTES = 1024;

/** What was wrong with a SCRAM conversation. */
export type ScramErrorReason =
  /** The message breaks RFC 5802. */
  | "malformed"
  /** The message is well formed and asks for what is not supported. */
  | "unsupported"
  /** A number or a length is above its bound. */
  | "limit"
  /** The other side does not know the secret that it claims to know. */
  | "not_authenticated"
  /** Somebody between the two ends has another channel, or has changed the list of mechanisms. */
  | "binding"
  /** A method was called out of its turn. */
  | "state";

/** A SCRAM conversation that must not go on. The message never holds a secret. */
export class ScramError extends Error {
  override readonly name = "ScramError";
  constructor(
    readonly reason: ScramErrorReason,
    message: string,
    /** The attribute that the error is about, e.g. `"i"`. */
    readonly attribute?: string,
  ) {
    super(message);
  }
}

/** Printable ASCII without the comma (RFC 5802, `printable`). */
const PRINTABLE = /^[\x21-\x2b\x2d-\x7e]+$/;
const BASE64 =
  /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const DECIMAL = /^[1-9][0-9]{0,9}$/;

/** Splits a message into its attributes, after the check of its length. */
export function splitMessage(message: string, what: string): string[] {
  if (message.length > MAX_SCRAM_MESSAGE_LENGTH) {
    throw new ScramError(
      "limit",
      `${what} has ${message.length} characters, at most ${MAX_SCRAM_MESSAGE_LENGTH} are read`,
    );
  }
  return message.split(",");
}

/** The value of the attribute `letter`, which must stand at `parts[index]`. */
export function attribute(
  parts: readonly string[],
  index: number,
  letter: string,
  what: string,
): string {
  const part = parts[index];
  if (part === undefined || part === "") {
    throw new ScramError(
      "malformed",
      `${what} has no attribute "${letter}"`,
      letter,
    );
  }
  if (part[0] === "m" && letter !== "m") {
    throw new ScramError(
      "unsupported",
      `${what} asks for a mandatory extension, none is supported`,
      "m",
    );
  }
  if (part[0] !== letter || part[1] !== "=") {
    throw new ScramError(
      "malformed",
      `${what} has no attribute "${letter}" at position ${index + 1}`,
      letter,
    );
  }
  return part.slice(2);
}

/** A nonce: printable ASCII of a bounded length. */
export function checkNonce(nonce: string, what: string): string {
  // The server's nonce holds the client's, so it may be twice as long.
  if (nonce.length > 2 * MAX_NONCE_LENGTH) {
    throw new ScramError(
      "limit",
      `${what} has a nonce of ${nonce.length} characters, at most ${
        2 * MAX_NONCE_LENGTH
      } are read`,
      "r",
    );
  }
  if (!PRINTABLE.test(nonce)) {
    throw new ScramError(
      "malformed",
      `${what} has a nonce that is empty or not printable`,
      "r",
    );
  }
  return nonce;
}

/** A base64 value, strict: standard alphabet, padded, nothing else. */
export function decodeBase64(
  value: string,
  letter: string,
  what: string,
): Uint8Array {
  if (value === "" || !BASE64.test(value)) {
    throw new ScramError(
      "malformed",
      `${what} has an attribute "${letter}" that is not base64`,
      letter,
    );
  }
  return Uint8Array.from(atob(value), (char) => char.charCodeAt(0));
}

/** Standard padded base64. Takes short values only: keys, salts, proofs. */
export function encodeBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** The iteration count, bounded by `max` before any work is done. */
export function parseIterations(
  value: string,
  max: number,
  what: string,
): number {
  if (!DECIMAL.test(value)) {
    throw new ScramError(
      "malformed",
      `${what} has an iteration count that is not a positive number`,
      "i",
    );
  }
  const iterations = Number(value);
  if (iterations > max) {
    throw new ScramError(
      "limit",
      `${what} asks for ${iterations} iterations, at most ${max} are allowed`,
      "i",
    );
  }
  return iterations;
}
