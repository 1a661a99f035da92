import {
  createHash,
  createHmac,
  pbkdf2Sync,
  randomBytes,
  timingSafeEqual,
} from "node:crypto";
import { preparePassword } from "./saslprep.ts";
import {
  decodeBase64,
  encodeBase64,
  MAX_SALT_BYTES,
  parseIterations,
  ScramError,
} from "./scram_attributes.ts";

/** PostgreSQL's `SCRAM_SHA_256_DEFAULT_ITERATIONS`. */
export const DEFAULT_ITERATIONS = 4096;
/** PostgreSQL's `SCRAM_DEFAULT_SALT_LEN`, in bytes. */
const DEFAULT_SALT_BYTES = 16;
/** SHA-256's result, and so the length of every key and proof, in bytes. */
export const KEY_BYTES = 32;

/** What a client proves with: derived from the password, the salt and the iteration count. */
export interface ScramKeys {
  readonly clientKey: Uint8Array;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/** What a server keeps instead of the password (RFC 5803). */
export interface ScramVerifier {
  readonly iterations: number;
  readonly salt: Uint8Array;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
  /** Made up for an unknown user: the conversation looks the same and always fails. */
  readonly mock?: true;
}

export function sha256(data: Uint8Array): Uint8Array {
  return createHash("sha256").update(data).digest();
}

export function hmac(key: Uint8Array, data: string): Uint8Array {
  return createHmac("sha256", key).update(data, "utf8").digest();
}

export function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((byte, index) => byte ^ (b[index] ?? 0));
}

/** Constant time for values of the same length, whose length is no secret. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && timingSafeEqual(a, b);
}

/**
 * RFC 5802, section 3. Blocks for the iterations: about 0.5 ms per 1,000.
 * Whoever logs in often with one password keeps a {@linkcode ScramKeyCache}.
 */
export function deriveKeys(
  password: string,
  salt: Uint8Array,
  iterations: number,
): ScramKeys {
  const salted = pbkdf2Sync(
    preparePassword(password),
    salt,
    iterations,
    KEY_BYTES,
    "sha256",
  );
  const clientKey = hmac(salted, "Client Key");
  return {
    clientKey,
    storedKey: sha256(clientKey),
    serverKey: hmac(salted, "Server Key"),
  };
}

/**
 * Keys of the last logins, so that a reconnect storm to one server costs one
 * derivation: a server's salt and iteration count are the same for every login
 * of a user (RFC 5802, section 5.1, allows a client to keep them).
 */
export class ScramKeyCache {
  /** Bound in entries, each under 2 KiB. */
  readonly #max: number;
  readonly #keys = new Map<string, ScramKeys>();

  constructor(max = 16) {
    this.#max = max;
  }

  get(password: string, salt: Uint8Array, iterations: number): ScramKeys {
    const id = `${iterations},${encodeBase64(salt)},${password}`;
    const known = this.#keys.get(id);
    if (known !== undefined) return known;
    const keys = deriveKeys(password, salt, iterations);
    if (this.#keys.size >= this.#max) {
      const oldest = this.#keys.keys().next().value;
      if (oldest !== undefined) this.#keys.delete(oldest);
    }
    this.#keys.set(id, keys);
    return keys;
  }
}

/** A verifier for a password in plain text, with a fresh salt unless one is given. */
export function createVerifier(
  password: string,
  options: { readonly salt?: Uint8Array; readonly iterations?: number } = {},
): ScramVerifier {
  const salt = options.salt ?? randomBytes(DEFAULT_SALT_BYTES);
  const iterations = options.iterations ?? DEFAULT_ITERATIONS;
  const { storedKey, serverKey } = deriveKeys(password, salt, iterations);
  return { iterations, salt, storedKey, serverKey };
}

const VERIFIER =
  /^SCRAM-SHA-256\$([0-9]+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)$/;

/** Whether `text` is meant as a stored verifier, not as a password in plain text. */
export function looksLikeVerifier(text: string): boolean {
  return text.startsWith("SCRAM-SHA-256$");
}

/**
 * Reads `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`, the form of
 * PostgreSQL's `pg_authid.rolpassword`.
 *
 * @throws {ScramError} without a part of the text in its message
 */
export function parseVerifier(text: string): ScramVerifier {
  const what = "stored verifier";
  const match = VERIFIER.exec(text);
  if (match === null) {
    throw new ScramError(
      "malformed",
      `${what} is not of the form SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`,
    );
  }
  const [, iterations = "", salt = "", storedKey = "", serverKey = ""] = match;
  const verifier: ScramVerifier = {
    // The server does not iterate: the count is only told to the client.
    iterations: parseIterations(iterations, 2 ** 31 - 1, what),
    salt: decodeBase64(salt, "s", what),
    storedKey: decodeBase64(storedKey, "StoredKey", what),
    serverKey: decodeBase64(serverKey, "ServerKey", what),
  };
  if (
    verifier.salt.length > MAX_SALT_BYTES ||
    verifier.storedKey.length !== KEY_BYTES ||
    verifier.serverKey.length !== KEY_BYTES
  ) {
    throw new ScramError("malformed", `${what} has a key of the wrong length`);
  }
  return verifier;
}

/** The text that {@linkcode parseVerifier} reads. */
export function formatVerifier(verifier: ScramVerifier): string {
  const { iterations, salt, storedKey, serverKey } = verifier;
  return `SCRAM-SHA-256$${iterations}:${encodeBase64(salt)}$${
    encodeBase64(storedKey)
  }:${encodeBase64(serverKey)}`;
}

/**
 * A verifier for a user that does not exist. The salt follows from the user's
 * name and `secret`, so that asking twice gives the same salt, as it would for
 * a real user (PostgreSQL's `mock_scram_secret`).
 *
 * @param secret random, kept for the life of the process
 */
export function mockVerifier(
  user: string,
  secret: Uint8Array,
  iterations: number = DEFAULT_ITERATIONS,
): ScramVerifier {
  return {
    iterations,
    salt: hmac(secret, user).subarray(0, DEFAULT_SALT_BYTES),
    storedKey: randomBytes(KEY_BYTES),
    serverKey: randomBytes(KEY_BYTES),
    mock: true,
  };
}
