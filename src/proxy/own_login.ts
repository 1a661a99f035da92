import { type Account, type AuthType, ClientAuth, Login } from "../auth/mod.ts";
import {
  AUTHENTICATION,
  Collector,
  concat,
  ERROR_RESPONSE,
  Framer,
  HEADER_BYTES,
  NEGOTIATE_PROTOCOL_VERSION,
  NOTICE_RESPONSE,
  PASSWORD,
  PROTOCOL_VIOLATION,
  ProtocolError,
  sqlstateOf,
  unpackSqlstate,
} from "../wire/mod.ts";

/** How clients log in where their authentication is not the primary's. */
export interface AuthSettings {
  readonly type: AuthType;
  readonly accounts: readonly Account[];
  /** Random, kept for the life of the process: salts of users that do not exist. */
  readonly mockSecret: Uint8Array;
}

/** What a client's bytes have come to. */
export type ClientProgress = "more" | "accepted" | "refused";

/**
 * A login of our own: the client proves itself to the proxy, then the proxy to
 * the primary. From the primary's AuthenticationOk on everything is relayed.
 */
export class OwnLogin {
  /** What to send to the client now. */
  toClient: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** What to send to the primary now. */
  toServer: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** The user may open the database, or replicate; if not, that is said to who has proved himself. */
  readonly entitled: boolean;
  readonly #account: Account | undefined;
  readonly #auth: ClientAuth;
  readonly #clientFramer = new Framer();
  readonly #serverFramer = new Framer();
  readonly #body = new Collector();
  #login: Login | undefined;
  /** The primary's NegotiateProtocolVersion: it answers the client's packet. */
  #negotiated = new Uint8Array(0);

  /**
   * @param database undefined: a replication connection, which can read all of them (BASE_BACKUP).
   * @param certificateHash of the certificate that the client was shown, if its login can be bound to it.
   */
  constructor(
    settings: AuthSettings,
    user: string,
    database: string | undefined,
    certificateHash?: Uint8Array,
  ) {
    const own = settings.accounts.filter(({ name }) => name === user);
    const entitled = own.find(({ databases }) =>
      databases === undefined ||
      database !== undefined && databases.includes(database)
    );
    this.entitled = entitled !== undefined;
    // Who is not entitled proves himself first: a guess tells nothing.
    this.#account = entitled ?? own[0];
    this.#auth = new ClientAuth(
      settings.type,
      user,
      this.#account,
      settings.mockSecret,
      certificateHash,
    );
  }

  /** The user on the primary. */
  get serverUser(): string {
    return this.#account?.serverUser ?? "";
  }

  /** The first question to the client is in `toClient`. */
  start(): ClientProgress {
    const step = this.#auth.start();
    if (step.kind !== "refused") this.toClient = step.send;
    return step.kind;
  }

  /**
   * Takes the client's `chunk[0, length)`.
   *
   * @throws {ProtocolError} if they are no answer to what was asked.
   */
  client(chunk: Uint8Array, length: number): ClientProgress {
    const framer = this.#clientFramer;
    this.toClient = new Uint8Array(0);
    for (let at = 0; at < length;) {
      at = framer.step(chunk, at, length);
      const { type, bodyStart, started, finished } = framer;
      if (framer.broken || started && type !== PASSWORD) {
        throw new ProtocolError(
          PROTOCOL_VIOLATION,
          `expected password response, got message type ${type}`,
        );
      }
      this.#body.take(chunk, bodyStart, at, started, finished);
      if (!finished) continue;
      if (this.#body.truncated) {
        throw new ProtocolError(PROTOCOL_VIOLATION, "password is too long");
      }
      if (at < length) {
        throw new ProtocolError(
          PROTOCOL_VIOLATION,
          "the client goes on before its login has ended",
        );
      }
      const step = this.#auth.take(
        this.#body.bytes.subarray(0, this.#body.length),
      );
      if (step.kind !== "refused") this.toClient = step.send;
      return step.kind;
    }
    return "more";
  }

  /**
   * Takes the primary's `chunk[0, length)`; what to answer is in `toServer`.
   *
   * @returns from where on it is the client's, behind what is in `toClient`: AuthenticationOk and, before it, what the primary negotiated; -1 while nothing is.
   * @throws {LoginError | ScramError} if the primary asks for what we will not do.
   * @throws {PrimaryRefusal} if it refuses the proxy.
   */
  server(chunk: Uint8Array, length: number): number {
    const framer = this.#serverFramer;
    this.#login ??= new Login({
      user: this.serverUser,
      password: this.#account?.serverPassword,
      database: "",
      cleartextAllowed: false,
    });
    this.toServer = new Uint8Array(0);
    for (let at = 0; at < length;) {
      at = framer.step(chunk, at, length);
      if (framer.broken) {
        throw new ProtocolError(PROTOCOL_VIOLATION, "malformed login");
      }
      const { type, bodyStart, started, finished } = framer;
      this.#body.take(chunk, bodyStart, at, started, finished);
      if (!finished) continue;
      const bytes = this.#body.bytes.subarray(0, this.#body.length);
      switch (type) {
        case AUTHENTICATION: {
          const answer = this.#login.answer(bytes);
          if (answer === "ok") {
            this.toClient = concat([this.#negotiated, AUTHENTICATION_OK]);
            return at;
          }
          if (answer !== undefined) this.toServer = answer;
          continue;
        }
        case ERROR_RESPONSE:
          throw new PrimaryRefusal(
            unpackSqlstate(sqlstateOf(bytes, bytes.length)),
          );
        case NEGOTIATE_PROTOCOL_VERSION:
          this.#negotiated = withHeader(type, bytes);
          continue;
        case NOTICE_RESPONSE:
          continue;
        default:
          throw new ProtocolError(
            PROTOCOL_VIOLATION,
            `unexpected message ${type} in the login`,
          );
      }
    }
    return -1;
  }
}

/** Type, length, code. */
const AUTHENTICATION_OK = new Uint8Array([
  AUTHENTICATION,
  ...[0, 0, 0, 8],
  ...[0, 0, 0, 0],
]);

function withHeader(type: number, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_BYTES + body.length);
  bytes[0] = type;
  new DataView(bytes.buffer).setInt32(1, 4 + body.length);
  bytes.set(body, HEADER_BYTES);
  return bytes;
}

/** The primary does not let the proxy in. */
export class PrimaryRefusal extends Error {
  override name = "PrimaryRefusal";
  constructor(readonly sqlstate: string) {
    super(`refused with ${sqlstate}`);
  }
}
