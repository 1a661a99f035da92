import {
  BROKEN,
  connect,
  connectError,
  describeError,
  type Handler,
  minRoundTripUs,
  NOT_NOW,
  type Reactor,
  READ,
  type SocketAddress,
  socketError,
  SocketTransport,
  type Transport,
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
import { Dial, type DialTarget, type TlsContexts } from "../tls/mod.ts";
import type { Login } from "../auth/mod.ts";

const READ_BUDGET = 4;
/** Messages that a login may take before it is an endless one. */
const MAX_LOGIN_MESSAGES = 1_000;

/** Where a mirror is, and how it is reached. */
export interface MirrorServer {
  readonly address: SocketAddress;
  /** Undefined: in clear. */
  readonly tls: DialTarget & { readonly contexts: TlsContexts } | undefined;
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
  #transport: Transport | undefined;
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
      this.#transport = new SocketTransport(this.#fd);
      reactor.add(this.#fd, this, WRITE);
      return;
    }
    const { contexts, ...target } = server.tls;
    this.#dial = new Dial(reactor, contexts, target, {
      onOpen: (fd, transport) => this.#begin(fd, transport),
      onFailed: (reason) => this.#lose("connection", reason),
    });
  }

  /** Sends `bytes`, which must not change afterwards. */
  send(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#state === "closed") return;
    this.#pending.push(bytes);
    if (this.#pending.length === 1 && this.#state !== "connecting") {
      this.#flush();
    }
  }

  /** Shortest round trip so far, in microseconds; 0: unknown. */
  get roundTripUs(): number {
    if (this.#state === "closed" || this.#fd < 0) return 0;
    return minRoundTripUs(this.#fd);
  }

  /** Says goodbye if the mirror is listening, and closes. */
  close(): void {
    if (this.#state === "closed") return;
    if (this.#state === "open" && this.#pending.length === 0) {
      this.#transport?.write(GOODBYE, GOODBYE.length);
    }
    this.#release();
  }

  onReadable(): void {
    const transport = this.#transport as Transport; // watched with it only
    if (transport.writeWantsRead) this.#flush();
    for (let i = 0; i < READ_BUDGET; i++) {
      const count = transport.read(this.#scratch, this.#scratch.length);
      if (count === NOT_NOW) break;
      if (count <= 0) return this.#lose("connection", reasonOf(transport));
      if (this.#state === "open") this.#owner.onReply(this.#scratch, count);
      else this.#onLoginBytes(count);
      if (this.#isClosed()) return;
      if (count < this.#scratch.length) break;
    }
    this.#update();
    if (transport.holdsBytes) this.#reactor.again(this.#fd, this);
  }

  onWritable(): void {
    if (this.#state === "connecting") {
      const errno = connectError(this.#fd);
      if (errno !== 0) return this.#lose("connection", describeError(errno));
      this.#state = "login";
    } else if (this.#transport?.readWantsWrite) {
      this.onReadable();
      if (this.#isClosed()) return;
    }
    this.#flush();
  }

  /** Sends what the socket takes of the pending bytes. A dead one tells of itself by its events. */
  #flush(): void {
    const transport = this.#transport as Transport; // behind "connecting"
    while (this.#pending.length > 0) {
      const first = this.#pending[0] as Uint8Array<ArrayBuffer>; // length > 0
      const sent = transport.write(first, first.length);
      if (sent === BROKEN) {
        // Its last words can still be read.
        this.#pending = [];
        break;
      }
      if (sent < first.length) {
        if (sent > 0) this.#pending[0] = first.subarray(sent);
        break;
      }
      this.#pending.shift();
    }
    this.#update();
  }

  onHangup(): void {
    if (this.#state === "connecting") return this.onWritable();
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
  #begin(fd: number, transport: Transport): void {
    this.#fd = fd;
    this.#transport = transport;
    this.#state = "login";
    this.#interest = READ | WRITE;
    this.#reactor.add(fd, this, this.#interest);
  }

  #release(): void {
    this.#state = "closed";
    this.#pending = [];
    this.#dial?.close();
    this.#transport?.free();
    if (this.#fd >= 0) this.#reactor.close(this.#fd);
  }

  #update(): void {
    if (this.#state === "connecting" || this.#state === "closed") return;
    const { readWantsWrite, writeWantsRead } = this.#transport as Transport; // behind "connecting"
    const sends = this.#pending.length > 0 && !writeWantsRead;
    const interest = (readWantsWrite ? WRITE : READ) | (sends ? WRITE : 0);
    if (interest === this.#interest) return;
    this.#interest = interest;
    this.#reactor.modify(this.#fd, interest);
  }
}

function reasonOf(transport: Transport): string {
  return transport.reason || "the mirror closed the connection";
}

const GOODBYE = new Uint8Array([TERMINATE, 0, 0, 0, 4]);
