import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import {
  AUTH_CLEARTEXT_PASSWORD,
  AUTH_MD5_PASSWORD,
  AUTH_SASL,
  AUTH_SASL_CONTINUE,
  AUTH_SASL_FINAL,
  AUTHENTICATION,
  PROTOCOL_VIOLATION,
  ProtocolError,
  Reader,
  Writer,
} from "../wire/mod.ts";
import {
  MAX_SCRAM_MESSAGE_LENGTH,
  mockVerifier,
  ScramError,
  type ScramMechanism,
  ScramServer,
} from "../wire/scram.ts";
import type { Account } from "./account.ts";

/** How clients prove who they are. */
export type AuthType = "scram" | "md5" | "plain" | "trust";

/** What comes of a message of the client's. */
export type AuthStep =
  /** Send this and read on. */
  | { readonly kind: "more"; readonly send: Uint8Array<ArrayBuffer> }
  /** It is who it says; AuthenticationOk is still to be sent, behind this. */
  | { readonly kind: "accepted"; readonly send: Uint8Array<ArrayBuffer> }
  /** Unknown, or the wrong password: nobody is told which. */
  | { readonly kind: "refused" };

/** `invalid_authorization_specification`, with which PostgreSQL refuses another channel than its own. */
const INVALID_AUTHORIZATION = "28000";
const NOTHING = new Uint8Array(0);

/**
 * The server's side of one client's login. An unknown user goes through the
 * same messages and the same work as one with a wrong password.
 */
export class ClientAuth {
  readonly #type: AuthType;
  readonly #account: Account | undefined;
  readonly #scram: ScramServer;
  readonly #salt = randomBytes(4);
  #step = 0;

  /**
   * @param account undefined if there is no such user, or not for this database.
   * @param mockSecret random, kept for the life of the process.
   * @param certificateHash of the certificate that the client was shown: SCRAM-SHA-256-PLUS is offered.
   */
  constructor(
    type: AuthType,
    user: string,
    account: Account | undefined,
    mockSecret: Uint8Array,
    certificateHash?: Uint8Array,
  ) {
    this.#type = type;
    this.#account = account;
    this.#scram = new ScramServer({
      verifier: account?.verifier ?? mockVerifier(user, mockSecret),
      certificateHash,
    });
  }

  /** The first request; `accepted` or `refused` without one for `trust`. */
  start(): AuthStep {
    switch (this.#type) {
      case "trust":
        return this.#account === undefined
          ? { kind: "refused" }
          : { kind: "accepted", send: NOTHING };
      case "plain":
        return more(AUTH_CLEARTEXT_PASSWORD, NOTHING);
      case "md5":
        return more(AUTH_MD5_PASSWORD, this.#salt);
      case "scram": {
        const names = this.#scram.mechanisms.map((name) => `${name}\0`);
        return more(AUTH_SASL, encoder.encode(`${names.join("")}\0`));
      }
    }
  }

  /**
   * Takes the body of a PasswordMessage, SASLInitialResponse or SASLResponse;
   * the bound is its collector's.
   *
   * @throws {ProtocolError} if it is malformed, or (28000) if somebody is between the client and us.
   */
  take(body: Uint8Array): AuthStep {
    switch (this.#type) {
      case "trust":
        throw new ProtocolError(PROTOCOL_VIOLATION, "unexpected password");
      case "plain":
      case "md5": {
        const reader = new Reader(body, "PasswordMessage");
        const given = reader.cstring("password", body.length);
        reader.end();
        return this.#isRight(given)
          ? { kind: "accepted", send: NOTHING }
          : { kind: "refused" };
      }
      case "scram":
        return this.#takeScram(body);
    }
  }

  #isRight(given: string): boolean {
    const account = this.#account;
    if (this.#type === "plain") {
      const same = equal(given, account?.password ?? "");
      return same && account?.password !== undefined && given !== "";
    }
    const expected = createHash("md5").update(account?.md5 ?? "", "ascii")
      .update(this.#salt).digest("hex");
    return equal(given, `md5${expected}`) && account?.md5 !== undefined;
  }

  #takeScram(body: Uint8Array): AuthStep {
    try {
      if (this.#step++ === 0) {
        const { mechanism, response } = initialResponse(
          body,
          this.#scram.mechanisms,
        );
        const answer = this.#scram.first(response, mechanism);
        return more(AUTH_SASL_CONTINUE, encoder.encode(answer));
      }
      const reader = new Reader(body, "SASLResponse");
      const answer = this.#scram.final(reader.text("response"));
      return answer === undefined ? { kind: "refused" } : {
        kind: "accepted",
        send: request(AUTH_SASL_FINAL, encoder.encode(answer)),
      };
    } catch (error) {
      if (!(error instanceof ScramError)) throw error;
      if (error.reason === "binding") {
        throw new ProtocolError(INVALID_AUTHORIZATION, error.message);
      }
      throw new ProtocolError(
        PROTOCOL_VIOLATION,
        `malformed SCRAM message: ${error.message}`,
      );
    }
  }
}

const encoder = new TextEncoder();

/** SASLInitialResponse: the mechanism, a length, client-first-message. */
function initialResponse(
  body: Uint8Array,
  mechanisms: readonly ScramMechanism[],
): { mechanism: ScramMechanism; response: string } {
  const reader = new Reader(body, "SASLInitialResponse");
  const chosen = reader.cstring("mechanism", 64);
  const mechanism = mechanisms.find((name) => name === chosen);
  if (mechanism === undefined) {
    throw new ProtocolError(
      PROTOCOL_VIOLATION,
      "client selected an invalid SASL authentication mechanism",
    );
  }
  const length = reader.int32("response length");
  const bytes = reader.bytes(length, "response");
  reader.end();
  const response = new Reader(bytes, "SASLInitialResponse").text("response");
  return { mechanism, response };
}

function more(code: number, data: Uint8Array): AuthStep {
  return { kind: "more", send: request(code, data) };
}

function request(code: number, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const writer = new Writer({ maxBytes: 64 + MAX_SCRAM_MESSAGE_LENGTH });
  writer.begin(AUTHENTICATION);
  writer.int32(code);
  writer.bytes(data);
  writer.end();
  return writer.take();
}

/** In a time that tells nothing of where they differ. */
function equal(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
