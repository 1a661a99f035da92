import { PROTOCOL_VIOLATION } from "../wire/mod.ts";
import { BINDING_ASKED, ChannelBinding } from "./channel_binding.ts";
import { TOO_MANY_CONNECTIONS } from "./client_limits.ts";
import type { LoginWatch } from "./login_watch.ts";
import type { OwnLogin } from "./own_login.ts";

const NOTHING = new Uint8Array(0);

/** Why a client is not logged in. */
export class LoginRefusal extends Error {
  override name = "LoginRefusal";
  constructor(readonly sqlstate: string, message: string) {
    super(message);
  }
}

export interface SessionLoginOptions {
  /** The primary, for messages. */
  readonly label: string;
  readonly watch: LoginWatch;
  /** Undefined: the primary's authentication is relayed. */
  readonly own: OwnLogin | undefined;
  /** The client has proved who it is. @returns why it can't stay, for 53300. */
  readonly admit: () => string | undefined;
  /** Whether the two legs use TLS. */
  readonly clientEncrypted: boolean;
  readonly primaryEncrypted: boolean;
}

/**
 * The login at the primary, from its first answer to ReadyForQuery. In
 * between the conversation is relayed, after our own login if there is one.
 *
 * `client` and `server` look at bytes before they go on, and may change them.
 * Both return how many of `chunk` go on, 0: none, and throw a
 * {@linkcode LoginRefusal} if the login ends here.
 */
export class SessionLogin {
  /** What to send to the client before that. */
  toClient: Uint8Array<ArrayBuffer> = NOTHING;
  /** What to send to the primary before that. */
  toServer: Uint8Array<ArrayBuffer> = NOTHING;
  readonly #label: string;
  readonly #watch: LoginWatch;
  /** Until it was called. */
  #admit: (() => string | undefined) | undefined;
  /** Until the primary has let the proxy in. */
  #own: OwnLogin | undefined;
  /** Until there is nothing left to look at; undefined if the primary is reached in clear. */
  #binding: ChannelBinding | undefined;

  constructor(
    { label, watch, own, admit, clientEncrypted, primaryEncrypted }:
      SessionLoginOptions,
  ) {
    this.#label = label;
    this.#watch = watch;
    this.#own = own;
    this.#admit = admit;
    if (primaryEncrypted && own === undefined) {
      this.#binding = new ChannelBinding(clientEncrypted);
    }
  }

  /** The client takes part; else it has proved itself, and waits. */
  get relayed(): boolean {
    return this.#own === undefined;
  }

  client(chunk: Uint8Array<ArrayBuffer>, length: number): number {
    this.toClient = this.toServer = NOTHING;
    if (this.#own !== undefined) {
      throw new LoginRefusal(
        PROTOCOL_VIOLATION,
        "the client goes on before its login",
      );
    }
    const binding = this.#binding;
    if (binding === undefined) return length;
    return this.#bound(binding, binding.client(chunk, length));
  }

  server(chunk: Uint8Array<ArrayBuffer>, length: number): number {
    this.toClient = this.toServer = NOTHING;
    const rest = this.#take(chunk, length);
    this.#watch.server(chunk, rest);
    if (this.#watch.authenticated && this.#admit !== undefined) {
      const refusal = this.#admit();
      this.#admit = undefined;
      if (refusal !== undefined) {
        throw new LoginRefusal(TOO_MANY_CONNECTIONS, refusal);
      }
    }
    return rest;
  }

  /** The login is over: the primary's last bytes had its end in them. */
  get done(): boolean {
    return this.#watch.done;
  }

  #take(chunk: Uint8Array<ArrayBuffer>, length: number): number {
    if (this.#own !== undefined) return this.#enter(this.#own, chunk, length);
    const binding = this.#binding;
    if (binding === undefined) return length;
    return this.#bound(binding, binding.server(chunk, length));
  }

  #enter(
    own: OwnLogin,
    chunk: Uint8Array<ArrayBuffer>,
    length: number,
  ): number {
    let from: number;
    try {
      from = own.server(chunk, length);
    } catch (error) {
      throw new LoginRefusal(
        "08006",
        `could not log in to primary ${this.#label}: ${
          (error as Error).message
        }`,
      );
    }
    if (from < 0) {
      this.toServer = own.toServer;
      return 0;
    }
    this.#own = undefined;
    this.toClient = own.toClient;
    chunk.copyWithin(0, from, length);
    return length - from;
  }

  #bound(binding: ChannelBinding, rest: number): number {
    if (binding.done) this.#binding = undefined;
    if (rest >= 0) return rest;
    throw rest === BINDING_ASKED
      ? new LoginRefusal(
        "0A000",
        "SCRAM-SHA-256-PLUS can't pass a proxy where TLS ends: connect with channel_binding=disable",
      )
      : new LoginRefusal(PROTOCOL_VIOLATION, "login message is too long");
  }
}
