import { randomBytes } from "node:crypto";
import {
  attribute,
  checkNonce,
  decodeBase64,
  encodeBase64,
  MAX_NONCE_LENGTH,
  ScramError,
  splitMessage,
} from "./scram_attributes.ts";
import {
  checkBinding,
  type Gs2Header,
  readGs2Header,
  SCRAM_SHA_256,
  SCRAM_SHA_256_PLUS,
  type ScramMechanism,
} from "./scram_binding.ts";
import {
  equalBytes,
  hmac,
  KEY_BYTES,
  type ScramVerifier,
  sha256,
  xor,
} from "./scram_keys.ts";

/** PostgreSQL's `SCRAM_RAW_NONCE_LEN`, in bytes. */
const NONCE_BYTES = 18;

export interface ScramServerOptions {
  /** From `createVerifier`, `parseVerifier`, or, for an unknown user, `mockVerifier`. */
  readonly verifier: ScramVerifier;
  /** The server's part of the nonce: random unless a test gives one. */
  readonly serverNonce?: string;
  /** Of the certificate that the client was shown (RFC 5929, section 4.1): PLUS is offered. */
  readonly certificateHash?: Uint8Array | undefined;
}

type State =
  | { readonly step: "start" }
  | {
    readonly step: "first_sent";
    readonly gs2: Gs2Header;
    readonly clientBare: string;
    readonly serverFirst: string;
    readonly nonce: string;
  }
  | { readonly step: "done" };

/**
 * The server's side of SCRAM-SHA-256 and, where there is a certificate to bind
 * to, SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677), synchronous. Malformed messages
 * throw {@linkcode ScramError}; a wrong proof does not: it is `undefined`, after
 * the same work as a right one.
 *
 * ```ts
 * const scram = new ScramServer({ verifier: known ?? mockVerifier(user, secret) });
 * send(sasl(scram.mechanisms));
 * send(saslContinue(scram.first(clientFirst, mechanism)));
 * const serverFinal = scram.final(clientFinal);
 * if (serverFinal === undefined) return refuse();
 * ```
 */
export class ScramServer {
  readonly #options: ScramServerOptions;
  #state: State = { step: "start" };

  constructor(options: ScramServerOptions) {
    this.#options = options;
  }

  /** What to offer, the best first. */
  get mechanisms(): readonly ScramMechanism[] {
    return this.#options.certificateHash === undefined
      ? [SCRAM_SHA_256]
      : [SCRAM_SHA_256_PLUS, SCRAM_SHA_256];
  }

  /**
   * Takes client-first-message (SASLInitialResponse), gives server-first-message.
   *
   * @param mechanism the client's choice, which it was offered.
   */
  first(
    clientFirst: string,
    mechanism: ScramMechanism = SCRAM_SHA_256,
  ): string {
    if (this.#state.step !== "start") {
      throw outOfTurn("first", this.#state.step);
    }
    const what = "client-first-message";
    const parts = splitMessage(clientFirst, what);
    const { verifier, certificateHash } = this.#options;
    const gs2 = readGs2Header(parts, mechanism, certificateHash, what);
    // PostgreSQL takes the user from the startup message; so do we.
    attribute(parts, 2, "n", what);
    const clientNonce = checkNonce(attribute(parts, 3, "r", what), what);
    if (clientNonce.length > MAX_NONCE_LENGTH) {
      throw new ScramError(
        "limit",
        `${what} has a nonce of ${clientNonce.length} characters, at most ${MAX_NONCE_LENGTH} are read`,
        "r",
      );
    }
    const nonce = clientNonce +
      (this.#options.serverNonce ?? encodeBase64(randomBytes(NONCE_BYTES)));
    const { salt, iterations } = verifier;
    const serverFirst = `r=${nonce},s=${encodeBase64(salt)},i=${iterations}`;
    const clientBare = clientFirst.slice(gs2.text.length);
    this.#state = {
      step: "first_sent",
      gs2,
      clientBare,
      serverFirst,
      nonce,
    };
    return serverFirst;
  }

  /** Takes client-final-message, gives server-final-message, or `undefined` if the proof is wrong. */
  final(clientFinal: string): string | undefined {
    const state = this.#state;
    if (state.step !== "first_sent") throw outOfTurn("final", state.step);
    this.#state = { step: "done" };
    const what = "client-final-message";
    const parts = splitMessage(clientFinal, what);
    checkBinding(state.gs2, attribute(parts, 0, "c", what), what);
    if (attribute(parts, 1, "r", what) !== state.nonce) {
      throw new ScramError(
        "malformed",
        `${what} has a nonce that is not the server's`,
        "r",
      );
    }
    // Extensions may stand between the nonce and the proof, which comes last.
    const last = parts.length - 1;
    const proof = decodeBase64(
      attribute(parts, Math.max(last, 2), "p", what),
      "p",
      what,
    );
    if (proof.length !== KEY_BYTES) {
      throw new ScramError(
        "malformed",
        `${what} has a proof of ${proof.length} bytes, must be ${KEY_BYTES}`,
        "p",
      );
    }
    const withoutProof = clientFinal.slice(0, clientFinal.lastIndexOf(",p="));
    const authMessage =
      `${state.clientBare},${state.serverFirst},${withoutProof}`;
    const { storedKey, serverKey, mock } = this.#options.verifier;
    const clientKey = xor(proof, hmac(storedKey, authMessage));
    const known = equalBytes(sha256(clientKey), storedKey);
    const signature = encodeBase64(hmac(serverKey, authMessage));
    return known && mock !== true ? `v=${signature}` : undefined;
  }
}

function outOfTurn(method: string, step: State["step"]): ScramError {
  return new ScramError(
    "state",
    `ScramServer.${method} called in state "${step}"`,
  );
}
