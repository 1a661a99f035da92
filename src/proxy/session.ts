import {
  configureTcp,
  connectError,
  describeError,
  Endpoint,
  type EndpointOwner,
  monotonicUs,
  setAbortive,
  type Timer,
  type Transport,
} from "../io/mod.ts";
import type { Dial } from "../tls/mod.ts";
import { ClientState } from "../stats/connection_table.ts";
import { Excluded } from "../stats/ledger.ts";
import { encodeErrorResponse } from "../wire/mod.ts";
import { sendCancel } from "./cancel.ts";
import { type Admitted, ClientStartup } from "./client_startup.ts";
import type { ProxyContext } from "./context.ts";
import { LoginWatch } from "./login_watch.ts";
import { openPrimary } from "./primary.ts";
import type { Route } from "./route.ts";
import { LoginRefusal, SessionLogin } from "./session_login.ts";
import { type SessionIdentity, SessionMirroring } from "./session_mirroring.ts";
import { Tap } from "./tap.ts";

/** How long a client may take to read our last words, or some more of what is pending, in milliseconds. */
const LINGER_MS = 2_000;

/**
 * ```
 * startup     reading the client's first packets, and who it is where we ask
 * connecting  the primary's socket is not open yet
 * login       the primary's authentication conversation is relayed, or ours is held
 * relay       queries
 * lingering   last words sent, waiting for the client to go
 * closed
 * ```
 */
type State =
  | "startup"
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
  /** Under way to a primary that is asked for TLS. */
  #dial: Dial | undefined;
  #state: State = "startup";
  /** Until a primary is asked for. */
  #startup: ClientStartup | undefined;
  /** These two from then on. */
  #route: Route | undefined;
  #identity: SessionIdentity | undefined;
  /** From the primary's socket to its first ReadyForQuery. */
  #login: SessionLogin | undefined;
  #mirroring: SessionMirroring | undefined;
  #timer: Timer | undefined;
  #draining = false;

  /**
   * @param transport on `fd`; the session's from now on.
   * @param certificateHash of the certificate that the client was shown; undefined: no login can be bound to it.
   */
  constructor(
    context: ProxyContext,
    fd: number,
    row: number,
    transport: Transport,
    certificateHash?: Uint8Array,
  ) {
    this.#context = context;
    this.#row = row;
    this.#startup = new ClientStartup(
      context,
      row,
      transport.encrypted,
      certificateHash,
    );
    this.#tap = new Tap(context.probes);
    this.#tap.onReady = (idle) => this.#onReady(idle);
    configureTcp(fd);
    this.#client = new Endpoint(
      context.reactor,
      this,
      context.scratch,
      fd,
      transport,
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
    if (this.#mayEnd) this.terminate();
  }

  /** No transaction is open, and last words would stand between two messages. */
  get #mayEnd(): boolean {
    return this.#state !== "relay" ||
      !this.#tap.busy && this.#tap.betweenReplies;
  }

  /** Ends the session now: FATAL 57P01, as PostgreSQL says at its own shutdown, if a message may come here. */
  terminate(): void {
    if (this.#state === "closed" || this.#state === "lingering") return;
    this.#fail("57P01", "terminating connection due to administrator command");
  }

  /** Ends the session at once, without a word. */
  drop(): void {
    this.#close(false);
  }

  onBytes(endpoint: Endpoint, length: number): void {
    const { scratch } = this.#context;
    switch (this.#state) {
      case "startup":
        return this.#onStartupBytes(length);
      case "login":
      case "relay": {
        const server = this.#server as Endpoint; // set before "login"
        if (this.#login !== undefined) {
          length = this.#logIn(this.#login, endpoint, server, length);
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
          if (this.#login?.done) this.#onLoggedIn();
          try {
            this.#tap.server(scratch, length, nowUs);
          } catch (error) {
            this.#onTapFault(error);
          }
          // Not at its ReadyForQuery: all of the chunk is on its way.
          if (this.#draining && this.#mayEnd) this.terminate();
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

  onDeaf(endpoint: Endpoint): void {
    // Nobody is there to be answered.
    if (endpoint === this.#client) return this.onDead(endpoint);
    // The primary's last words wait until the client has taken what came before.
    if (this.#client.pending === 0) endpoint.resume();
  }

  onFault(): void {
    this.#close(true);
  }

  #endTap(reason: number): void {
    try {
      this.#tap.end(reason, monotonicUs());
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
    const startup = this.#startup as ClientStartup; // until "connecting"
    const step = startup.take(this.#context.scratch, length);
    const { toClient } = startup;
    if (toClient.length > 0) this.#client.write(toClient, toClient.length);
    switch (step.kind) {
      case "more":
        return;
      case "connect":
        return this.#connect(step.admitted);
      case "cancel":
        return this.#cancel(step.packet);
      case "refused":
        return this.#say(step.fatal);
      case "closed":
        return this.#close(false);
    }
  }

  #cancel(packet: Uint8Array<ArrayBuffer>): void {
    // The client reads end of stream when the primary has taken the request.
    this.#state = "lingering";
    this.#client.pause();
    const done = () => {
      this.#client.shutdown();
      this.#close(false);
    };
    if (!sendCancel(this.#context, packet, done)) done();
  }

  /** Sends the startup packet, and what came behind it. */
  #connect({ route, identity, packet, rest, own, admit }: Admitted): void {
    this.#startup = undefined;
    this.#route = route;
    this.#identity = identity;
    this.#client.pause();
    this.#state = "connecting";
    const { reactor, scratch, settings, clients } = this.#context;
    const timeoutMs = settings.connectTimeoutMs;
    reactor.cancel(this.#timer);
    this.#timer = reactor.after(
      timeoutMs,
      () => this.#notConnected(`no answer within ${timeoutMs} ms`),
    );
    if (rest.length > 0) this.#tap.client(rest, rest.length, monotonicUs());
    this.#dial = openPrimary(this.#context, route, {
      onOpen: (fd, transport, connecting) => {
        const server = new Endpoint(
          reactor,
          this,
          scratch,
          fd,
          transport,
          connecting,
        );
        this.#server = server;
        this.#login = new SessionLogin({
          label: route.label,
          watch: new LoginWatch(
            clients,
            this.#row,
            (version) => this.#context.onVersion(route, version),
          ),
          own,
          admit,
          clientEncrypted: this.#client.encrypted,
          primaryEncrypted: transport.encrypted,
        });
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

  #onConnected(server: Endpoint): void {
    const errno = connectError(server.fd);
    if (errno !== 0) return this.#notConnected(describeError(errno));
    this.#state = "login";
    const { reactor, settings: { loginTimeoutMs } } = this.#context;
    reactor.cancel(this.#timer);
    this.#timer = reactor.after(loginTimeoutMs, () => this.#close(false));
    server.resume();
    if (this.#login?.relayed) this.#client.resume();
  }

  /** Lets the login look at bytes of the scratch buffer. @returns how many go on. */
  #logIn(
    login: SessionLogin,
    from: Endpoint,
    server: Endpoint,
    length: number,
  ): number {
    const { scratch } = this.#context;
    let rest: number;
    try {
      rest = from === this.#client
        ? login.client(scratch, length)
        : login.server(scratch, length);
    } catch (error) {
      if (!(error instanceof LoginRefusal)) throw error;
      this.#fail(error.sqlstate, error.message);
      return 0;
    }
    const { toClient, toServer } = login;
    if (toServer.length > 0) server.write(toServer, toServer.length);
    if (toClient.length > 0) {
      this.#client.write(toClient, toClient.length);
      this.#client.resume(); // it waited for this
    }
    return rest;
  }

  /** The first ReadyForQuery has come: what the client does from now on counts. */
  #onLoggedIn(): void {
    this.#login = undefined;
    this.#state = "relay";
    this.#context.reactor.cancel(this.#timer);
    this.#mirroring = new SessionMirroring(
      this.#context,
      this.#tap,
      this.#route as Route, // these two are set before login
      this.#identity as SessionIdentity,
    );
    this.#context.clients.setState(this.#row, ClientState.idle);
  }

  /** The tap has seen a ReadyForQuery; the first one ends the login. */
  #onReady(idle: boolean): void {
    if (!this.#tap.inTransaction) {
      this.#context.clients.countRequest(this.#row);
      this.#mirroring?.requestEnded(this.#server?.fd ?? -1);
    }
    this.#context.clients.setState(
      this.#row,
      this.#tap.inTransaction
        ? ClientState.idleInTransaction
        : idle
        ? ClientState.idle
        : ClientState.active,
    );
    this.#mirroring?.rested();
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
    this.#awaitReader();
  }

  /**
   * What is pending may be the end of a reply: a client that takes some of it
   * now and then gets it all, and so does any while we drain, until the
   * shutdown's time is over.
   */
  #awaitReader(): void {
    const { pending } = this.#client;
    this.#context.reactor.cancel(this.#timer);
    this.#timer = this.#context.reactor.after(LINGER_MS, () => {
      const left = this.#client.pending;
      if (left > 0 && (this.#draining || left < pending)) this.#awaitReader();
      else this.#close(false);
    });
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
