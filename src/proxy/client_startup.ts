import {
  concat,
  decodeStartupMessage,
  encodeErrorResponse,
  encodeFatalBeforeV3,
  PROTOCOL_MAJOR,
  PROTOCOL_VIOLATION,
  ProtocolError,
  type StartupMessage,
  startupParameter,
} from "../wire/mod.ts";
import { TOO_MANY, TOO_MANY_CONNECTIONS } from "./client_limits.ts";
import type { ProxyContext } from "./context.ts";
import { type ClientProgress, OwnLogin } from "./own_login.ts";
import type { Route } from "./route.ts";
import type { SessionIdentity } from "./session_mirroring.ts";
import { readStartupRequest, withParameters } from "./startup.ts";

/** SSLRequest and GSSENCRequest, each perhaps once, as PostgreSQL allows. */
const MAX_ENCRYPTION_REQUESTS = 2;
/** The answer to SSLRequest and GSSENCRequest: not here. */
const REFUSED = new Uint8Array([0x4e]);
/** `invalid_authorization_specification`: PostgreSQL's for who may not come in by pg_hba.conf. */
const INVALID_AUTHORIZATION = "28000";
const NOTHING = new Uint8Array(0);

/** What a startup needs of the worker. */
export type StartupContext = Pick<
  ProxyContext,
  "auth" | "clients" | "door" | "limits" | "settings"
>;

/** A client that may go on to its primary. */
export interface Admitted {
  readonly route: Route;
  readonly identity: SessionIdentity;
  /** The startup packet for the primary. */
  readonly packet: Uint8Array<ArrayBuffer>;
  /** What the client has sent behind it. */
  readonly rest: Uint8Array<ArrayBuffer>;
  /** The client has proved itself to us; undefined: the primary's authentication is relayed. */
  readonly own: OwnLogin | undefined;
  /** To be called when the primary says that the client is who it says it is. @returns why it can't stay, for 53300. */
  readonly admit: () => string | undefined;
}

/** A client that has still to say who it is. */
interface Proving extends Admitted {
  readonly own: OwnLogin;
}

/** How a client's connection goes on, once what is in `toClient` is sent. */
export type StartupStep =
  /** More bytes are needed. */
  | { readonly kind: "more" }
  | { readonly kind: "connect"; readonly admitted: Admitted }
  /** `packet` is a CancelRequest. */
  | { readonly kind: "cancel"; readonly packet: Uint8Array<ArrayBuffer> }
  /** `fatal` says why, in the client's format. */
  | { readonly kind: "refused"; readonly fatal: Uint8Array<ArrayBuffer> }
  /** Without a word, as PostgreSQL does. */
  | { readonly kind: "closed" };

const MORE: StartupStep = { kind: "more" };
const CLOSED: StartupStep = { kind: "closed" };

/**
 * What a client says before it has a primary: the requests for encryption, its
 * startup packet or a CancelRequest and, where authentication is not the
 * primary's, the proof of who it is.
 */
export class ClientStartup {
  /** What to send to the client now. */
  toClient: Uint8Array<ArrayBuffer> = NOTHING;
  readonly #context: StartupContext;
  readonly #row: number;
  readonly #encrypted: boolean;
  readonly #certificateHash: Uint8Array | undefined;
  #bytes: Uint8Array<ArrayBuffer> = NOTHING;
  #encryptionRequests = 0;
  #proving: Proving | undefined;

  /**
   * @param row of the clients' table, where the client is identified.
   * @param encrypted TLS with the client ends before us.
   * @param certificateHash of the certificate there; undefined: no login can be bound to it.
   */
  constructor(
    context: StartupContext,
    row: number,
    encrypted: boolean,
    certificateHash: Uint8Array | undefined,
  ) {
    this.#context = context;
    this.#row = row;
    this.#encrypted = encrypted;
    this.#certificateHash = certificateHash;
  }

  /** Takes the client's `chunk[0, length)`. After another step than "more" there is none. */
  take(chunk: Uint8Array, length: number): StartupStep {
    this.toClient = NOTHING;
    if (this.#proving !== undefined) {
      return this.#prove(this.#proving, chunk, length);
    }
    this.#bytes = concat([this.#bytes, chunk.subarray(0, length)]);
    for (;;) {
      const request = readStartupRequest(this.#bytes);
      switch (request.kind) {
        case "incomplete":
          return MORE;
        case "junk":
          return CLOSED;
        case "version":
          return unsupported(request.major, request.minor);
        case "encryption":
          if (
            this.#encrypted ||
            ++this.#encryptionRequests > MAX_ENCRYPTION_REQUESTS
          ) return CLOSED;
          this.toClient = concat([this.toClient, REFUSED]);
          this.#bytes = this.#bytes.slice(request.length);
          continue;
        case "cancel":
          return {
            kind: "cancel",
            packet: this.#bytes.slice(0, request.length),
          };
        case "startup":
          return this.#onPacket(
            this.#bytes.slice(0, request.length),
            this.#bytes.slice(request.length),
          );
      }
    }
  }

  #onPacket(
    packet: Uint8Array<ArrayBuffer>,
    rest: Uint8Array<ArrayBuffer>,
  ): StartupStep {
    let message;
    try {
      message = decodeStartupMessage(packet.subarray(4));
    } catch (error) {
      return refused(PROTOCOL_VIOLATION, (error as Error).message);
    }
    const user = startupParameter(message, "user") ?? "";
    const name = startupParameter(message, "database") || user;
    const { settings: { routes, tlsClientRequired } } = this.#context;
    if (tlsClientRequired && !this.#encrypted) {
      // In PostgreSQL's words for a pg_hba.conf with nothing but "hostssl".
      return refused(
        INVALID_AUTHORIZATION,
        `no entry for user "${user}", database "${name}", no encryption: connect with sslmode=require or higher`,
      );
    }
    const index = routes.findIndex((route) =>
      route.current && route.name === name
    );
    const route = routes[index];
    if (route === undefined) {
      return refused("3D000", `database "${name}" does not exist`);
    }
    const { clients, auth, door, limits } = this.#context;
    clients.identify(
      this.#row,
      index,
      user,
      name,
      startupParameter(message, "application_name") ?? "",
    );
    const excess = route.admin
      ? undefined
      : !door.letsThrough(this.#row)
      ? TOO_MANY
      // Without a proof of our own: else each of them would reach the primary.
      : auth === undefined
      ? limits.refusal(name, user)
      : limits.refusal();
    if (excess !== undefined) return refused(TOO_MANY_CONNECTIONS, excess);
    const identity = identityOf(user, message);
    const reach = identity.replication ? undefined : name;
    const own = auth === undefined || route.admin
      ? undefined
      : new OwnLogin(auth, user, reach, this.#certificateHash);
    const changed: Record<string, string> = {};
    if (own !== undefined || route.databaseName !== name) {
      changed.database = route.databaseName;
    }
    if (own !== undefined) changed.user = own.serverUser;
    const admit = () =>
      route.admin
        ? undefined
        : this.#context.limits.admit(clients, this.#row, name, user);
    const admitted = {
      route,
      admit,
      identity,
      packet: Object.keys(changed).length === 0
        ? packet
        : withParameters(packet, changed),
      rest,
    };
    if (own === undefined) {
      return { kind: "connect", admitted: { ...admitted, own } };
    }
    if (rest.length > 0) {
      return refused(
        PROTOCOL_VIOLATION,
        "the client goes on before its login",
      );
    }
    this.#bytes = NOTHING;
    this.#proving = { ...admitted, own };
    return this.#onProgress(this.#proving, own.start());
  }

  #prove(
    proving: Proving,
    chunk: Uint8Array,
    length: number,
  ): StartupStep {
    let progress;
    try {
      progress = proving.own.client(chunk, length);
    } catch (error) {
      const known = error instanceof ProtocolError;
      return refused(
        known ? error.sqlstate : PROTOCOL_VIOLATION,
        (error as Error).message,
      );
    }
    return this.#onProgress(proving, progress);
  }

  #onProgress(
    proving: Proving,
    progress: ClientProgress,
  ): StartupStep {
    if (progress === "refused") {
      return refused(
        "28P01",
        `password authentication failed for user "${proving.identity.user}"`,
      );
    }
    if (progress === "accepted" && !proving.own.entitled) {
      const { identity: { user, replication }, route } = proving;
      return refused(
        INVALID_AUTHORIZATION,
        replication
          ? `user "${user}" may not replicate, for that reads all databases`
          : `user "${user}" may not open database "${route.name}"`,
      );
    }
    this.toClient = concat([this.toClient, proving.own.toClient]);
    if (progress === "more") return MORE;
    const excess = proving.admit();
    return excess === undefined
      ? { kind: "connect", admitted: proving }
      : refused(TOO_MANY_CONNECTIONS, excess);
  }
}

function identityOf(user: string, message: StartupMessage): SessionIdentity {
  const replication = startupParameter(message, "replication");
  return {
    user,
    parameters: message.parameters
      .map(([key, value]) => `${key}\0${value}\0`).join(""),
    replication: replication !== undefined &&
      !/^(?:false|off|no|0)$/i.test(replication),
  };
}

function refused(sqlstate: string, message: string): StartupStep {
  return {
    kind: "refused",
    fatal: encodeErrorResponse("FATAL", sqlstate, message),
  };
}

/** In PostgreSQL 18's words: 3.0 to 3.2 pass here, and the primary negotiates. */
function unsupported(major: number, minor: number): StartupStep {
  const message =
    `unsupported frontend protocol ${major}.${minor}: server supports 3.0 to 3.2`;
  return major >= PROTOCOL_MAJOR
    ? refused("0A000", message)
    : { kind: "refused", fatal: encodeFatalBeforeV3(message) };
}
