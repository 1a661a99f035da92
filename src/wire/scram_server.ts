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
}

type State =
  | { readonly step: "start" }
  | {
    readonly step: "first_sent";
    readonly gs2Header: string;
    readonly clientBare: string;
    readonly serverFirst: string;
    readonly nonce: string;
  }
  | { readonly step: "done" };

/**
 * The server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), synchronous, without
 * channel binding. Malformed messages throw {@linkcode ScramError}; a wrong
 * proof does not: it is `undefined`, after the same work as a right one.
 *
 * ```ts
 * const scram = new ScramServer({ verifier: known ?? mockVerifier(user, secret) });
 * send(saslContinue(scram.first(clientFirst)));
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

  /** Takes client-first-message (SASLInitialResponse), gives server-first-message. */
  first(clientFirst: string): string {
    if (this.#state.step !== "start") {
      throw outOfTurn("first", this.#state.step);
    }
    const what = "client-first-message";
    const parts = splitMessage(clientFirst, what);
    const gs2Header = checkGs2Header(parts, what);
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
    const { salt, iterations } = this.#options.verifier;
    const serverFirst = `r=${nonce},s=${encodeBase64(salt)},i=${iterations}`;
    const clientBare = clientFirst.slice(gs2Header.length);
    this.#state = {
      step: "first_sent",
      gs2Header,
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
    const binding = attribute(parts, 0, "c", what);
    if (binding !== btoa(state.gs2Header)) {
      throw new ScramError(
        "malformed",
        `${what} has a channel binding that is not its GS2 header`,
        "c",
      );
    }
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

/** `n,,` or `y,,`: no channel binding, and no other identity than the user's own. */
function checkGs2Header(parts: readonly string[], what: string): string {
  const [flag = "", identity = ""] = parts;
  if (flag.startsWith("p=")) {
    throw new ScramError(
      "unsupported",
      `${what} asks for channel binding, which was not offered`,
      "p",
    );
  }
  if (flag !== "n" && flag !== "y") {
    throw new ScramError(
      "malformed",
      `${what} has an unknown channel-binding flag`,
    );
  }
  if (identity !== "") {
    throw new ScramError(
      "unsupported",
      `${what} has an authorization identity, which is not supported`,
      "a",
    );
  }
  return `${flag},,`;
}

function outOfTurn(method: string, step: State["step"]): ScramError {
  return new ScramError(
    "state",
    `ScramServer.${method} called in state "${step}"`,
  );
}
