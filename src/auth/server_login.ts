import {
  AUTH_CLEARTEXT_PASSWORD,
  AUTH_MD5_PASSWORD,
  AUTH_OK,
  AUTH_SASL,
  AUTH_SASL_CONTINUE,
  AUTH_SASL_FINAL,
  md5Password,
  PASSWORD,
} from "../wire/mod.ts";
import { ScramClient, ScramKeyCache } from "../wire/scram.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Why a login to a server can't go on. */
export class LoginError extends Error {
  override name = "LoginError";
}

/** Salt and count are the same for each login of a user: many lanes, one key derivation. */
const scramKeys = new ScramKeyCache();

/** How to log in to a server. */
export interface LoginOptions {
  readonly user: string;
  readonly password: string | undefined;
  readonly database: string;
  /** Sends the password in clear if the server asks for it so. */
  readonly cleartextAllowed: boolean;
}

/** The client's side of one authentication conversation. */
export class Login {
  readonly #options: LoginOptions;
  #scram: ScramClient | undefined;
  #verified = false;

  constructor(options: LoginOptions) {
    this.#options = options;
  }

  /**
   * Answers an Authentication message.
   *
   * @returns the message to send; nothing; or `"ok"` when the server is content.
   * @throws {LoginError} if the server asks for what we will not do, or does not know the password itself.
   */
  answer(body: Uint8Array): Uint8Array<ArrayBuffer> | "ok" | undefined {
    if (body.length < 4) throw new LoginError("Short Authentication message");
    const kind = new DataView(body.buffer, body.byteOffset).getInt32(0);
    const data = body.subarray(4);
    switch (kind) {
      case AUTH_OK:
        if (this.#scram !== undefined && !this.#verified) {
          throw new LoginError("The server ended SCRAM without its proof");
        }
        return "ok";
      case AUTH_CLEARTEXT_PASSWORD:
        if (!this.#options.cleartextAllowed) {
          throw new LoginError("The server asks for a password in clear");
        }
        return message(encoder.encode(`${this.#password()}\0`));
      case AUTH_MD5_PASSWORD:
        if (data.length < 4) throw new LoginError("Short MD5 salt");
        return message(encoder.encode(
          md5Password(
            this.#options.user,
            this.#password(),
            data.subarray(0, 4),
          ) + "\0",
        ));
      case AUTH_SASL:
        return this.#startScram(data);
      case AUTH_SASL_CONTINUE: {
        const scram = this.#requireScram();
        return message(encoder.encode(scram.continue(decoder.decode(data))));
      }
      case AUTH_SASL_FINAL:
        this.#requireScram().verify(decoder.decode(data));
        this.#verified = true;
        return undefined;
      default:
        throw new LoginError(`Authentication method ${kind} is not supported`);
    }
  }

  #startScram(data: Uint8Array): Uint8Array<ArrayBuffer> {
    const mechanisms = decoder.decode(data).split("\0");
    if (!mechanisms.includes("SCRAM-SHA-256")) {
      throw new LoginError("The server does not offer SCRAM-SHA-256");
    }
    this.#scram = new ScramClient({
      user: "",
      password: this.#password(),
      keys: scramKeys,
    });
    const first = encoder.encode(this.#scram.first());
    const name = encoder.encode("SCRAM-SHA-256\0");
    const body = new Uint8Array(name.length + 4 + first.length);
    body.set(name);
    new DataView(body.buffer).setInt32(name.length, first.length);
    body.set(first, name.length + 4);
    return message(body);
  }

  #requireScram(): ScramClient {
    if (this.#scram === undefined) throw new LoginError("SASL out of turn");
    return this.#scram;
  }

  #password(): string {
    if (this.#options.password === undefined) {
      throw new LoginError(
        "The server asks for a password, none is configured",
      );
    }
    return this.#options.password;
  }
}

function message(body: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(5 + body.length);
  bytes[0] = PASSWORD;
  new DataView(bytes.buffer).setInt32(1, 4 + body.length);
  bytes.set(body, 5);
  return bytes;
}
