import {
  connectError,
  describeError,
  minRoundTripUs,
  monotonicUs,
  setAbortive,
  setNoDelay,
  type Timer,
} from "../io/mod.ts";
import type { Dial } from "../tls/mod.ts";
import { ClientState } from "../stats/client_table.ts";
import { Excluded } from "../stats/ledger.ts";
import {
  decodeStartupMessage,
  encodeErrorResponse,
  encodeFatalBeforeV3,
  PROTOCOL_MAJOR,
  ProtocolError,
  startupParameter,
} from "../wire/mod.ts";
import { BINDING_ASKED, ChannelBinding } from "./channel_binding.ts";
import { sendCancel } from "./cancel.ts";
import type { ProxyContext } from "./context.ts";
import { Endpoint, type EndpointOwner } from "./endpoint.ts";
import { LoginWatch } from "./login_watch.ts";
import { openPrimary } from "./primary.ts";
import type { Route } from "./route.ts";
import { type ClientProgress, OwnLogin } from "./own_login.ts";
import { SessionMirroring } from "./session_mirroring.ts";
import { readStartupRequest, withParameters } from "./startup.ts";
import { Tap } from "./tap.ts";

/** How long a client may take to read our last words, in milliseconds. */
const LINGER_MS = 2_000;
/** The primary's round trip is asked for at the first request and every 256th. */
const ROUND_TRIP_MASK = 255;
/** SSLRequest and GSSENCRequest, each perhaps once, as PostgreSQL allows. */
const MAX_ENCRYPTION_REQUESTS = 2;

/**
 * ```
 * startup     reading the client's first packets
 * proving     the client proves who it is, where authentication is not relayed
 * connecting  the primary's socket is not open yet
 * login       the primary's authentication conversation is relayed
 * relay       queries
 * lingering   last words sent, waiting for the client to go
 * closed
 * ```
 */
type State =
  | "startup"
  | "proving"
  | "connecting"
  | "login"
  | "relay"
  | "lingering"
  | "closed";

/** The life of one client connection. */
export class Session implements EndpointOwner {
  readonly #context: ProxyContext;
  readonly #client: Endpoint;
  readonly #row: number;
  readonly #tap: Tap;
  #server: Endpoint | undefined;
  /** Under way to a primary with TLS. */
  #dial: Dial | undefined;
  /** While a login is relayed whose leg to the primary is encrypted. */
  #binding: ChannelBinding | undefined;
  /** Where authentication is not the primary's; until the primary has let the proxy in. */
  #own: OwnLogin | undefined;
  readonly #encrypted: boolean;
  readonly #certificateHash: Uint8Array | undefined;
  #state: State = "startup";
  #route: Route | undefined;
  #user = "";
  #parameters = "";
  #replication = false;
  #login: LoginWatch | undefined;
  #mirroring: SessionMirroring | undefined;
  #timer: Timer | undefined;
  #startup = new Uint8Array(0);
  #encryptionRequests = 0;
  #draining = false;
  #requests = 0;

  /**
   * @param encrypted TLS with the client ends before `fd`.
   * @param certificateHash of the certificate there; undefined: no login can be bound to it.
   */
  constructor(
    context: ProxyContext,
    fd: number,
    row: number,
    encrypted: boolean,
    certificateHash?: Uint8Array,
  ) {
    this.#context = context;
    this.#encrypted = encrypted;
    this.#certificateHash = certificateHash;
    this.#row = row;
    this.#tap = new Tap(context.probes);
    this.#tap.onReady = (idle) => this.#onReady(idle);
    setNoDelay(fd);
    this.#client = new Endpoint(
      context.reactor,
      this,
      context.scratch,
      fd,
      false,
    );
    this.#timer = context.reactor.after(
      context.settings.loginTimeoutMs,
      () => this.#close(false),
    );
  }

  /** The route that the client asked for; undefined before login. */
  get route(): Route | undefined {
    return this.#route;
  }

  /** A reload has put other settings in force. */
  settingsChanged(): void {
    this.#mirroring?.settingsChanged();
  }

  /** Ends the session as soon as no transaction is open. */
  drain(): void {
    this.#draining = true;
    if (!(this.#state === "relay" && this.#tap.busy)) this.terminate();
  }

  /** Ends the session now: FATAL 57P01, as PostgreSQL says at its own shutdown, if a message may come here. */
  terminate(): void {
    if (this.#state === "closed" || this.#state === "lingering") return;
    this.#fail("57P01", "terminating connection due to administrator command");
  }

  onBytes(endpoint: Endpoint, length: number): void {
    const { scratch } = this.#context;
    switch (this.#state) {
      case "startup":
        return this.#onStartupBytes(length);
      case "proving":
        return this.#prove(length);
      case "login":
      case "relay": {
        const server = this.#server as Endpoint; // set before "login"
        if (this.#own !== undefined) {
          if (endpoint === this.#client) {
            return this.#fail("08P01", "the client goes on before its login");
          }
          length = this.#enter(this.#own, server, length);
          if (length === 0) return;
        }
        if (this.#binding !== undefined) {
          length = this.#bind(this.#binding, endpoint, length);
          if (length === 0) return;
        }
        // Before the bytes go on: the order of replay rests on "not before" and "not after".
        const nowUs = monotonicUs();
        if (endpoint === this.#client) {
          if (!server.write(scratch, length)) endpoint.pause();
          this.#context.clients.countReceived(this.#row, length);
          try {
            this.#tap.client(scratch, length, nowUs);
          } catch (error) {
            this.#onTapFault(error);
          }
          if (!this.#tap.busy) return;
          this.#context.clients.setState(this.#row, ClientState.active);
        } else {
          if (!this.#client.write(scratch, length)) endpoint.pause();
          this.#context.clients.countSent(this.#row, length);
          if (this.#login !== undefined) this.#followLogin(length);
          try {
            this.#tap.server(scratch, length, nowUs);
          } catch (error) {
            this.#onTapFault(error);
          }
        }
        return;
      }
      case "connecting":
      case "lingering":
      case "closed":
        return; // what a client says now goes nowhere
    }
  }

  onEnd(endpoint: Endpoint): void {
    const server = this.#server;
    if (endpoint === this.#client) {
      // Half-close: the primary reads end of stream and may still answer.
      if (server === undefined || this.#state === "lingering") {
        return this.#close(false);
      }
      server.shutdown();
      if (server.ended) this.#close(false);
      return;
    }
    this.#endTap(
      this.#client.ended || this.#tap.terminated
        ? Excluded.clientGone
        : Excluded.primaryLost,
    );
    if (this.#client.ended) {
      // It half-closed and may still read: what is pending goes out first.
      this.#client.shutdown();
      if (this.#client.pending === 0) this.#close(false);
      else this.#linger();
    } else this.#linger();
  }

  onDead(endpoint: Endpoint): void {
    if (endpoint === this.#server && this.#state === "connecting") {
      return this.#onConnected(endpoint);
    }
    this.#endTap(
      endpoint === this.#client ? Excluded.clientGone : Excluded.primaryLost,
    );
    if (endpoint === this.#server && this.#client.pending > 0) {
      endpoint.close();
      return this.#linger();
    }
    this.#close(endpoint === this.#server);
  }

  onFault(): void {
    this.#close(true);
  }

  #endTap(reason: number): void {
    try {
      this.#tap.end(reason);
    } catch (error) {
      this.#onTapFault(error);
    }
  }

  /** The bytes are on their way: the client must not notice. */
  #onTapFault(error: unknown): void {
    this.#context.onFault("A session is not mirrored any more", error);
    this.#tap.abandon();
  }

  onDrained(endpoint: Endpoint): void {
    if (endpoint === this.#server && this.#state === "connecting") {
      return this.#onConnected(endpoint);
    }
    const source = endpoint === this.#client ? this.#server : this.#client;
    if (this.#state === "login" || this.#state === "relay") source?.resume();
    if (this.#state === "lingering" && this.#client.ended) this.#close(false);
  }

  /** Takes bytes that were read before the session began. */
  begin(head: Uint8Array): void {
    this.#context.scratch.set(head);
    if (head.length > 0) this.#onStartupBytes(head.length);
  }

  #onStartupBytes(length: number): void {
    const bytes = new Uint8Array(this.#startup.length + length);
    bytes.set(this.#startup);
    bytes.set(
      this.#context.scratch.subarray(0, length),
      this.#startup.length,
    );
    this.#startup = bytes;
    for (;;) {
      const request = readStartupRequest(this.#startup);
      switch (request.kind) {
        case "incomplete":
          return;
        case "junk":
          return this.#close(false);
        case "version":
          return this.#onUnsupported(request.major, request.minor);
        case "encryption":
          if (
            this.#encrypted ||
            ++this.#encryptionRequests > MAX_ENCRYPTION_REQUESTS
          ) {
            return this.#close(false);
          }
          this.#client.write(REFUSED, 1);
          this.#startup = this.#startup.slice(request.length);
          continue;
        case "cancel":
          return this.#cancel(this.#startup.slice(0, request.length));
        case "startup":
          return this.#onStartupMessage(request.length);
      }
    }
  }

  /** In PostgreSQL 18's words: 3.0 to 3.2 pass here, and the primary negotiates. */
  #onUnsupported(major: number, minor: number): void {
    const message =
      `unsupported frontend protocol ${major}.${minor}: server supports 3.0 to 3.2`;
    if (major >= PROTOCOL_MAJOR) return this.#fail("0A000", message);
    this.#say(encodeFatalBeforeV3(message));
  }

  #onStartupMessage(length: number): void {
    const packet = this.#startup.slice(0, length);
    const rest = this.#startup.slice(length);
    let message;
    try {
      message = decodeStartupMessage(packet.subarray(4));
    } catch (error) {
      return this.#fail("08P01", (error as Error).message);
    }
    this.#user = startupParameter(message, "user") ?? "";
    const name = startupParameter(message, "database") || this.#user;
    const { settings: { routes }, tlsClientRequired } = this.#context;
    if (tlsClientRequired && !this.#encrypted) {
      // In PostgreSQL's words for a pg_hba.conf with nothing but "hostssl".
      return this.#fail(
        "28000",
        `no entry for user "${this.#user}", database "${name}", no encryption: connect with sslmode=require or higher`,
      );
    }
    const index = routes.findIndex((route) =>
      route.current && route.name === name
    );
    const route = routes[index];
    if (route === undefined) {
      return this.#fail("3D000", `database "${name}" does not exist`);
    }
    this.#route = route;
    const replication = startupParameter(message, "replication");
    this.#replication = replication !== undefined &&
      !/^(?:false|off|no|0)$/i.test(replication);
    this.#parameters = message.parameters
      .map(([key, value]) => `${key}\0${value}\0`).join("");
    this.#context.clients.identify(
      this.#row,
      index,
      this.#user,
      name,
      startupParameter(message, "application_name") ?? "",
    );
    const { auth, limits } = this.#context;
    const refusal = route.admin ? undefined : limits.refusal(name, this.#user);
    if (refusal !== undefined) return this.#fail("53300", refusal);
    const changed: Record<string, string> = {};
    if (route.databaseName !== name) changed.database = route.databaseName;
    if (auth !== undefined && !route.admin) {
      this.#own = new OwnLogin(auth, this.#user, name, this.#certificateHash);
      changed.user = this.#own.serverUser;
      changed.database = route.databaseName;
    }
    this.#startup = Object.keys(changed).length === 0
      ? packet
      : withParameters(packet, changed);
    if (this.#own === undefined) return this.#connect(route, rest);
    this.#state = "proving";
    if (rest.length > 0) {
      return this.#fail("08P01", "the client goes on before its login");
    }
    this.#onProgress(this.#own, this.#own.start());
  }

  #prove(length: number): void {
    const own = this.#own as OwnLogin; // set before "proving"
    try {
      this.#onProgress(own, own.client(this.#context.scratch, length));
    } catch (error) {
      const known = error instanceof ProtocolError;
      this.#fail(known ? error.sqlstate : "08P01", (error as Error).message);
    }
  }

  #onProgress(own: OwnLogin, progress: ClientProgress): void {
    if (progress === "refused") {
      return this.#fail(
        "28P01",
        `password authentication failed for user "${this.#user}"`,
      );
    }
    this.#client.write(own.toClient, own.toClient.length);
    if (progress === "accepted") {
      this.#connect(this.#route as Route, new Uint8Array(0)); // set before "proving"
    }
  }

  /** Logs in to the primary. @returns how many bytes of the scratch buffer are the client's. */
  #enter(own: OwnLogin, server: Endpoint, length: number): number {
    const { scratch } = this.#context;
    let from: number;
    try {
      from = own.server(scratch, length);
    } catch (error) {
      this.#notLoggedIn((error as Error).message);
      return 0;
    }
    if (from < 0) {
      server.write(own.toServer, own.toServer.length);
      return 0;
    }
    this.#own = undefined;
    this.#client.write(own.toClient, own.toClient.length);
    this.#client.resume();
    scratch.copyWithin(0, from, length);
    return length - from;
  }

  #notLoggedIn(reason: string): void {
    const { label } = this.#route as Route; // set before connecting
    this.#fail("08006", `could not log in to primary ${label}: ${reason}`);
  }

  /** Sends the startup packet that is kept, and `rest` behind it. */
  #connect(route: Route, rest: Uint8Array<ArrayBuffer>): void {
    const packet = this.#startup;
    this.#startup = new Uint8Array(0);
    const { reactor, scratch } = this.#context;
    this.#client.pause();
    this.#state = "connecting";
    const timeoutMs = this.#context.settings.connectTimeoutMs;
    reactor.cancel(this.#timer);
    this.#timer = reactor.after(
      timeoutMs,
      () => this.#notConnected(`no answer within ${timeoutMs} ms`),
    );
    this.#login = new LoginWatch(
      this.#context.clients,
      this.#row,
      (version) => this.#context.onVersion(route, version),
    );
    if (rest.length > 0) this.#tap.client(rest, rest.length, monotonicUs());
    this.#dial = openPrimary(this.#context, route, {
      onOpen: (fd, connecting, encrypted) => {
        const server = new Endpoint(reactor, this, scratch, fd, connecting);
        this.#server = server;
        if (encrypted && this.#own === undefined) {
          this.#binding = new ChannelBinding(this.#encrypted);
        }
        server.write(packet, packet.length);
        if (rest.length > 0) server.write(rest, rest.length);
        if (!connecting) this.#onConnected(server);
      },
      onFailed: (reason) => this.#notConnected(reason),
    });
  }

  #notConnected(reason: string): void {
    const { label } = this.#route as Route; // set before connecting
    this.#context.onUnreachable();
    this.#fail("08006", `could not connect to primary ${label}: ${reason}`);
  }

  /** Lets channel binding look at login bytes. @returns how many go on. */
  #bind(binding: ChannelBinding, from: Endpoint, length: number): number {
    const { scratch } = this.#context;
    const rest = from === this.#client
      ? binding.client(scratch, length)
      : binding.server(scratch, length);
    if (binding.done) this.#binding = undefined;
    if (rest >= 0) return rest;
    if (rest === BINDING_ASKED) {
      this.#fail(
        "0A000",
        "SCRAM-SHA-256-PLUS can't pass a proxy where TLS ends: connect with channel_binding=disable",
      );
    } else this.#fail("08P01", "login message is too long");
    return 0;
  }

  #onConnected(server: Endpoint): void {
    const errno = connectError(server.fd);
    if (errno !== 0) return this.#notConnected(describeError(errno));
    this.#state = "login";
    const { reactor, settings: { loginTimeoutMs } } = this.#context;
    reactor.cancel(this.#timer);
    this.#timer = reactor.after(loginTimeoutMs, () => this.#close(false));
    server.resume();
    if (this.#own === undefined) this.#client.resume();
  }

  #followLogin(length: number): void {
    this.#login?.server(this.#context.scratch, length);
    if (!this.#login?.done) return;
    this.#login = undefined;
    this.#state = "relay";
    this.#context.reactor.cancel(this.#timer);
    this.#attach();
    this.#context.clients.setState(this.#row, ClientState.idle);
  }

  /** The tap has seen a ReadyForQuery; the first one ends the login. */
  #onReady(idle: boolean): void {
    if (!this.#tap.inTransaction) this.#countRequest();
    this.#context.clients.setState(
      this.#row,
      this.#tap.inTransaction
        ? ClientState.idleInTransaction
        : idle
        ? ClientState.idle
        : ClientState.active,
    );
    this.#mirroring?.rested();
    if (this.#draining && idle) this.terminate();
  }

  #countRequest(): void {
    this.#context.clients.countRequest(this.#row);
    // A shorter round trip may come along; asking each time would cost a call.
    if ((this.#requests++ & ROUND_TRIP_MASK) !== 0) return;
    const fd = this.#server?.fd ?? -1;
    if (this.#mirroring !== undefined && fd >= 0) {
      this.#mirroring.roundTripUs = this.#dial?.roundTripUs ||
        minRoundTripUs(fd);
    }
  }

  #attach(): void {
    const route = this.#route as Route; // set before login
    this.#mirroring = new SessionMirroring(this.#context, this.#tap, route, {
      user: this.#user,
      parameters: this.#parameters,
      replication: this.#replication,
    });
  }

  #cancel(packet: Uint8Array<ArrayBuffer>): void {
    // The client reads end of stream when the primary has taken the request.
    this.#state = "lingering";
    this.#client.pause();
    const done = () => this.#close(false);
    if (!sendCancel(this.#context, packet, done)) done();
  }

  /** Tells the client why, then lets it go. */
  #fail(sqlstate: string, message: string): void {
    if (this.#state === "closed" || this.#state === "lingering") return;
    this.#endTap(Excluded.primaryLost);
    // Inside of a message of the primary's our words would be its data.
    if (!this.#tap.betweenReplies) return this.#close(false);
    this.#say(encodeErrorResponse("FATAL", sqlstate, message));
  }

  /** Last words. */
  #say(bytes: Uint8Array<ArrayBuffer>): void {
    this.#client.write(bytes, bytes.length);
    this.#linger();
  }

  #linger(): void {
    this.#state = "lingering";
    this.#dial?.close();
    this.#server?.close();
    this.#client.shutdown();
    // Unread bytes would turn our close into an RST that overtakes the last words.
    this.#client.resume();
    this.#context.reactor.cancel(this.#timer);
    this.#timer = this.#context.reactor.after(
      LINGER_MS,
      () => this.#close(false),
    );
  }

  #close(abortive: boolean): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#endTap(Excluded.clientGone);
    this.#context.reactor.cancel(this.#timer);
    if (abortive && this.#client.fd >= 0) setAbortive(this.#client.fd);
    this.#dial?.close();
    this.#server?.close();
    this.#client.close();
    this.#context.clients.close(this.#row);
    this.#mirroring?.close();
    this.#context.onClosed(this);
  }
}

/** The answer to SSLRequest and GSSENCRequest: not here. */
const REFUSED = new Uint8Array([0x4e]);
