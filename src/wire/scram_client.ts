import { randomBytes as cryptoRandomBytes } from "node:crypto";
import {
  attribute,
  checkNonce,
  decodeBase64,
  encodeBase64,
  MAX_SALT_BYTES,
  parseIterations,
  ScramError,
  splitMessage,
} from "./scram_attributes.ts";
import {
  equalBytes,
  hmac,
  KEY_BYTES,
  ScramKeyCache,
  type ScramKeys,
  xor,
} from "./scram_keys.ts";

/** The GS2 header of a client that does no channel binding, and its base64. */
const GS2_HEADER = "n,,";
const GS2_HEADER_BASE64 = "biws";
/** PostgreSQL's `SCRAM_RAW_NONCE_LEN`, in bytes. */
const NONCE_BYTES = 18;
/** A server's way to keep a client busy: refused above this, before any work. */
const MAX_ITERATIONS = 100_000;

export interface ScramClientOptions {
  /** PostgreSQL ignores it (it knows the user from the startup message); libpq sends `""`. */
  readonly user: string;
  readonly password: string;
  readonly randomBytes?: (length: number) => Uint8Array;
  /** Highest iteration count that is worked through. Default 100,000. */
  readonly maxIterations?: number;
  /** Shared by the logins of one worker. */
  readonly keys?: ScramKeyCache;
}

type State =
  | { readonly step: "start" }
  | { readonly step: "first_sent"; readonly bare: string }
  | {
    readonly step: "proof_sent";
    readonly keys: ScramKeys;
    readonly authMessage: string;
  }
  | { readonly step: "done" };

/**
 * The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), synchronous.
 *
 * 1. {@linkcode first}: send the result in SASLInitialResponse.
 * 2. {@linkcode continue}: give it AuthenticationSASLContinue's data, send the result in SASLResponse.
 * 3. {@linkcode verify}: give it AuthenticationSASLFinal's data. Only when it returns is the server known.
 *
 * Every method throws {@linkcode ScramError}; the login is over then.
 *
 * ```ts
 * const scram = new ScramClient({ user: "", password });
 * send(saslInitialResponse("SCRAM-SHA-256", scram.first()));
 * ```
 */
export class ScramClient {
  readonly #options: ScramClientOptions;
  readonly #nonce: string;
  #state: State = { step: "start" };

  constructor(options: ScramClientOptions) {
    this.#options = options;
    const random = options.randomBytes ?? cryptoRandomBytes;
    this.#nonce = encodeBase64(random(NONCE_BYTES));
  }

  /** client-first-message. */
  first(): string {
    const state = this.#state;
    if (state.step !== "start") throw outOfTurn("first", state.step);
    const bare = `n=${escapeUser(this.#options.user)},r=${this.#nonce}`;
    this.#state = { step: "first_sent", bare };
    return GS2_HEADER + bare;
  }

  /** Takes server-first-message, gives client-final-message. Derives the keys, which blocks. */
  continue(serverFirst: string): string {
    const state = this.#state;
    if (state.step !== "first_sent") throw outOfTurn("continue", state.step);
    const what = "server-first-message";
    const parts = splitMessage(serverFirst, what);
    const nonce = checkNonce(attribute(parts, 0, "r", what), what);
    if (!nonce.startsWith(this.#nonce) || nonce === this.#nonce) {
      throw new ScramError(
        "malformed",
        `${what} has a nonce that does not continue the client's`,
        "r",
      );
    }
    const salt = decodeBase64(attribute(parts, 1, "s", what), "s", what);
    if (salt.length > MAX_SALT_BYTES) {
      throw new ScramError(
        "limit",
        `${what} has a salt of ${salt.length} bytes, at most ${MAX_SALT_BYTES} are read`,
        "s",
      );
    }
    const iterations = parseIterations(
      attribute(parts, 2, "i", what),
      this.#options.maxIterations ?? MAX_ITERATIONS,
      what,
    );
    const cache = this.#options.keys ?? new ScramKeyCache(1);
    const keys = cache.get(this.#options.password, salt, iterations);
    const withoutProof = `c=${GS2_HEADER_BASE64},r=${nonce}`;
    const authMessage = `${state.bare},${serverFirst},${withoutProof}`;
    const proof = xor(keys.clientKey, hmac(keys.storedKey, authMessage));
    this.#state = { step: "proof_sent", keys, authMessage };
    return `${withoutProof},p=${encodeBase64(proof)}`;
  }

  /** Takes server-final-message: returns if the server knows the password, else throws. */
  verify(serverFinal: string): void {
    const state = this.#state;
    if (state.step !== "proof_sent") throw outOfTurn("verify", state.step);
    const what = "server-final-message";
    const parts = splitMessage(serverFinal, what);
    if (parts[0]?.startsWith("e=")) {
      throw new ScramError(
        "not_authenticated",
        `Server ended the SCRAM exchange: ${
          JSON.stringify(parts[0].slice(2, 66))
        }`,
        "e",
      );
    }
    const signature = decodeBase64(attribute(parts, 0, "v", what), "v", what);
    const expected = hmac(state.keys.serverKey, state.authMessage);
    if (signature.length !== KEY_BYTES || !equalBytes(signature, expected)) {
      throw new ScramError(
        "not_authenticated",
        "Server does not know the password: its signature is wrong",
        "v",
      );
    }
    this.#state = { step: "done" };
  }
}

/** RFC 5802, `saslname`. */
function escapeUser(user: string): string {
  return user.replaceAll("=", "=3D").replaceAll(",", "=2C");
}

function outOfTurn(method: string, step: State["step"]): ScramError {
  return new ScramError(
    "state",
    `ScramClient.${method} called in state "${step}"`,
  );
}
