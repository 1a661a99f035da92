import {
  connect,
  connectError,
  describeError,
  type Handler,
  minRoundTripUs,
  type Reactor,
  READ,
  receive,
  send,
  type SocketAddress,
  socketError,
  WRITE,
} from "../io/mod.ts";
import {
  AUTHENTICATION,
  BACKEND_KEY_DATA,
  Collector,
  ERROR_RESPONSE,
  Framer,
  NEGOTIATE_PROTOCOL_VERSION,
  NOTICE_RESPONSE,
  PARAMETER_STATUS,
  READY_FOR_QUERY,
  sqlstateOf,
  TERMINATE,
  unpackSqlstate,
} from "../wire/mod.ts";
import { Dial, type DialTarget, type TlsEdge } from "../tls/mod.ts";
import type { Login } from "../auth/mod.ts";

const READ_BUDGET = 4;
/** Messages that a login may take before it is an endless one. */
const MAX_LOGIN_MESSAGES = 1_000;

/** Where a mirror is, and how it is reached. */
export interface MirrorServer {
  readonly address: SocketAddress;
  /** Undefined: in clear. */
  readonly tls: DialTarget & { readonly edge: TlsEdge } | undefined;
}

/** Why there is no connection. */
export interface ConnectionFailure {
  readonly kind: "connection" | "login" | "protocol";
  /** SQLSTATE of the mirror's ErrorResponse, if there was one. */
  readonly sqlstate: string | undefined;
  readonly message: string;
}

/** What a connection tells its lane. */
export interface ConnectionOwner {
  onLoggedIn(): void;
  /** `chunk[0, length)` came after login; valid until the call returns. */
  onReply(chunk: Uint8Array, length: number): void;
  onLost(failure: ConnectionFailure): void;
  /** Our own code has thrown while it handled this connection, which is closed. */
  onFault(): void;
}

/** One connection to a mirror, from connect to loss. It never reconnects. */
export class MirrorConnection implements Handler {
  readonly #reactor: Reactor;
  readonly #owner: ConnectionOwner;
  readonly #scratch: Uint8Array<ArrayBuffer>;
  readonly #login: Login;
  readonly #framer = new Framer();
  readonly #body = new Collector();
  /** -1 while the dial has it. */
  #fd = -1;
  #dial: Dial | undefined;
  #state: "connecting" | "login" | "open" | "closed" = "connecting";
  #loginMessages = 0;
  #authenticated = false;
  /** What the socket has not taken yet, oldest first. */
  #pending: Uint8Array<ArrayBuffer>[] = [];
  #interest = WRITE;

  /** @throws {Error} if there is no descriptor left. */
  constructor(
    reactor: Reactor,
    server: MirrorServer,
    startup: Uint8Array<ArrayBuffer>,
    login: Login,
    scratch: Uint8Array<ArrayBuffer>,
    owner: ConnectionOwner,
  ) {
    this.#reactor = reactor;
    this.#owner = owner;
    this.#scratch = scratch;
    this.#login = login;
    this.#pending.push(startup);
    if (server.tls === undefined) {
      this.#fd = connect(server.address);
      reactor.add(this.#fd, this, WRITE);
      return;
    }
    const { edge, ...target } = server.tls;
    this.#dial = new Dial(reactor, edge, target, {
      onOpen: (fd) => this.#begin(fd),
      onFailed: (reason) => this.#lose("connection", reason),
    });
  }

  /** Sends `bytes`, which must not change afterwards. */
  send(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#state === "closed") return;
    let rest = bytes;
    if (this.#pending.length === 0 && this.#state !== "connecting") {
      const sent = send(this.#fd, bytes, bytes.length);
      if (sent === bytes.length) return;
      if (sent > 0) rest = bytes.subarray(sent);
    }
    this.#pending.push(rest);
    this.#want(this.#interest | WRITE);
  }

  /** Shortest round trip so far, in microseconds; 0: unknown. */
  get roundTripUs(): number {
    if (this.#state === "closed" || this.#fd < 0) return 0;
    return this.#dial?.roundTripUs || minRoundTripUs(this.#fd);
  }

  /** Says goodbye if the mirror is listening, and closes. */
  close(): void {
    if (this.#state === "closed") return;
    if (this.#state === "open" && this.#pending.length === 0) {
      send(this.#fd, GOODBYE, GOODBYE.length);
    }
    this.#release();
  }

  onReadable(): void {
    for (let i = 0; i < READ_BUDGET; i++) {
      const count = receive(this.#fd, this.#scratch, this.#scratch.length);
      if (count < 0) return;
      if (count === 0) {
        return this.#lose("connection", "the mirror closed the connection");
      }
      if (this.#state === "open") this.#owner.onReply(this.#scratch, count);
      else this.#onLoginBytes(count);
      if (this.#isClosed() || count < this.#scratch.length) return;
    }
  }

  onWritable(): void {
    if (this.#state === "connecting") {
      const errno = connectError(this.#fd);
      if (errno !== 0) return this.#lose("connection", describeError(errno));
      this.#state = "login";
      this.#interest = READ | WRITE;
      this.#reactor.modify(this.#fd, this.#interest);
    }
    while (this.#pending.length > 0) {
      const first = this.#pending[0] as Uint8Array<ArrayBuffer>; // length > 0
      const sent = send(this.#fd, first, first.length);
      if (sent < 0) return;
      if (sent < first.length) {
        this.#pending[0] = first.subarray(sent);
        return;
      }
      this.#pending.shift();
    }
    this.#want(this.#interest & ~WRITE);
  }

  onHangup(): void {
    const errno = socketError(this.#fd);
    this.#lose(
      "connection",
      errno === 0 ? "the mirror closed the connection" : describeError(errno),
    );
  }

  /** Closes after an exception in a handler. */
  fault(): void {
    if (this.#state === "closed") return;
    this.close();
    this.#owner.onFault();
  }

  #isClosed(): boolean {
    return this.#state === "closed";
  }

  #isOpen(): boolean {
    return this.#state === "open";
  }

  #onLoginBytes(length: number): void {
    const framer = this.#framer;
    for (let at = 0; at < length;) {
      at = framer.step(this.#scratch, at, length);
      if (framer.broken) return this.#lose("protocol", "malformed message");
      this.#body.take(
        this.#scratch,
        framer.bodyStart,
        at,
        framer.started,
        framer.finished,
      );
      if (!framer.finished) continue;
      if (++this.#loginMessages > MAX_LOGIN_MESSAGES) {
        return this.#lose("protocol", "the login never ends");
      }
      this.#onLoginMessage(framer.type);
      if (this.#isOpen() && at < length) {
        // What is unasked may follow at once, perhaps not whole.
        const rest = this.#scratch.subarray(at, length);
        return this.#owner.onReply(rest, rest.length);
      }
      if (this.#state !== "login") return;
    }
  }

  #onLoginMessage(type: number): void {
    const body = this.#body.bytes.subarray(0, this.#body.length);
    switch (type) {
      case AUTHENTICATION:
        try {
          const answer = this.#login.answer(body);
          if (answer === "ok") this.#authenticated = true;
          else if (answer !== undefined) this.send(answer);
        } catch (error) {
          // LoginError and ScramError; their texts hold no secret.
          this.#lose("login", (error as Error).message);
        }
        return;
      case ERROR_RESPONSE: {
        const sqlstate = unpackSqlstate(sqlstateOf(body, body.length));
        return this.#lose("login", `refused with ${sqlstate}`, sqlstate);
      }
      case READY_FOR_QUERY:
        if (!this.#authenticated) {
          return this.#lose("protocol", "the login was left out");
        }
        this.#state = "open";
        this.#body.rest();
        this.#owner.onLoggedIn();
        return;
      case BACKEND_KEY_DATA:
      case NEGOTIATE_PROTOCOL_VERSION:
      case NOTICE_RESPONSE:
      case PARAMETER_STATUS:
        return;
      default:
        this.#lose("protocol", `unexpected message ${type} in the login`);
    }
  }

  #lose(
    kind: ConnectionFailure["kind"],
    message: string,
    sqlstate?: string,
  ): void {
    if (this.#state === "closed") return;
    this.#release();
    this.#owner.onLost({ kind, message, sqlstate });
  }

  /** The dial has opened it. */
  #begin(fd: number): void {
    this.#fd = fd;
    this.#state = "login";
    this.#interest = READ | WRITE;
    this.#reactor.add(fd, this, this.#interest);
  }

  #release(): void {
    this.#state = "closed";
    this.#pending = [];
    this.#dial?.close();
    if (this.#fd >= 0) this.#reactor.close(this.#fd);
  }

  #want(interest: number): void {
    if (interest === this.#interest || this.#state === "connecting") return;
    this.#interest = interest;
    this.#reactor.modify(this.#fd, interest);
  }
}

const GOODBYE = new Uint8Array([TERMINATE, 0, 0, 0, 4]);
