import { AcceptLoop } from "../listen/mod.ts";
import { ProtocolError } from "../wire/mod.ts";
import { AdminError, SQLSTATE } from "./admin_error.ts";
import type { AdminCommand, Logger } from "../plugin/api.ts";
import { Catalog } from "./catalog.ts";
import type { ControlCommand } from "./control.ts";
import {
  type AdminLogin,
  login,
  type LoginRules,
  loginRules,
} from "./login.ts";
import { Peer, PeerGoneError } from "./peer.ts";
import type { Role } from "./roles.ts";
import { ConsoleSession } from "./console_session.ts";

const LOGIN_TIMEOUT_MS = 60_000;
/** A client that takes none of its reply for so long is gone. */
const WRITE_TIMEOUT_MS = 60_000;
/** Bound in sessions; as many again may be logging in. */
const MAX_SESSIONS = 32;
/** Of these the stats user's: they must not keep the admin out. */
const MAX_STATS_SESSIONS = 24;
/** What close() gives the replies in progress. */
const CLOSE_TIMEOUT_MS = 1000;

export interface AdminOptions extends AdminLogin {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** The database that a client asks for. */
  readonly name: string;
  /** The whole table, from `adminCommands`. */
  readonly commands: readonly AdminCommand[];
  /** Those that change something, from `controlCommands`. */
  readonly control?: readonly ControlCommand[];
  readonly log: Logger;
  /** Ours, for `server_version`. */
  readonly version: string;
  readonly loginTimeoutMs?: number;
  readonly writeTimeoutMs?: number;
  readonly maxSessions?: number;
  readonly maxStatsSessions?: number;
}

export interface AdminServer {
  readonly port: number;
  /** Another user or password, for the logins to come. @throws {ScramError} */
  setLogin(login: AdminLogin): void;
  /** Stops listening, lets replies in progress end, tells clients 57P01. May be called twice. */
  close(): Promise<void>;
}

/**
 * Listens for clients of the admin console, which speaks the PostgreSQL
 * protocol.
 *
 * @throws {Deno.errors.AddrInUse} if the port is taken
 * @throws {ScramError} if `password` is an ill-formed verifier
 * @throws {TypeError} if two commands have the same words
 */
export function startAdmin(options: AdminOptions): AdminServer {
  return new Server(options);
}

class Server implements AdminServer {
  readonly port: number;
  readonly #options: AdminOptions;
  #rules: LoginRules;
  readonly #catalog: Catalog;
  readonly #accepting: AcceptLoop;
  /** In the order of their coming. */
  readonly #logins = new Set<Peer>();
  readonly #sessions = new Map<ConsoleSession, { peer: Peer; role: Role }>();
  readonly #connections = new Set<Promise<void>>();
  #nextProcessId = 1;
  #closing: Promise<void> | undefined;

  constructor(options: AdminOptions) {
    this.#options = options;
    this.#rules = loginRules(options);
    this.#catalog = new Catalog(options.commands, options.control);
    const { host: hostname, port } = options;
    const listener = Deno.listen({ hostname, port });
    this.port = listener.addr.port;
    this.#accepting = new AcceptLoop(listener, {
      onConnection: (conn) => this.#onConnection(conn),
      onRefused: (error) =>
        options.log.warn("Admin console could not accept a connection", {
          error: String(error),
        }),
    });
  }

  setLogin(login: AdminLogin): void {
    const { name, version } = this.#options;
    this.#rules = loginRules({ ...login, name, version });
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  get #maxSessions(): number {
    return this.#options.maxSessions ?? MAX_SESSIONS;
  }

  #onConnection(conn: Deno.TcpConn): void {
    const connection = this.#serve(conn);
    this.#connections.add(connection);
    void connection.finally(() => this.#connections.delete(connection));
  }

  /** One connection from its first byte to its last. Never throws. */
  async #serve(conn: Deno.TcpConn): Promise<void> {
    const peer = new Peer(
      conn,
      this.#options.writeTimeoutMs ?? WRITE_TIMEOUT_MS,
    );
    try {
      conn.setNoDelay(true);
      conn.setKeepAlive(true);
      const session = await this.#login(peer);
      if (session === undefined) return;
      await session.serve().finally(() => this.#sessions.delete(session));
    } catch (error) {
      if (error instanceof PeerGoneError) return;
      this.#options.log.error("Admin connection failed", {
        error: String(error),
      });
    } finally {
      peer.close();
    }
  }

  async #login(peer: Peer): Promise<ConsoleSession | undefined> {
    this.#makeRoom();
    this.#logins.add(peer);
    const timer = setTimeout(
      () => peer.close(),
      this.#options.loginTimeoutMs ?? LOGIN_TIMEOUT_MS,
    );
    const processId = this.#nextProcessId++;
    try {
      const loggedIn = await login(peer, this.#rules, processId);
      if (loggedIn === undefined) return undefined;
      const { role, user } = loggedIn;
      this.#checkRoom(role);
      const { name, log } = this.#options;
      log.debug("Admin login", { user });
      const session = new ConsoleSession({
        peer,
        catalog: this.#catalog,
        loggedIn,
        database: name,
        processId,
        log,
      });
      this.#sessions.set(session, { peer, role });
      return session;
    } catch (error) {
      if (!(error instanceof AdminError || error instanceof ProtocolError)) {
        throw error;
      }
      const { sqlstate, message } = error;
      this.#options.log.warn("Admin login refused", { sqlstate, message });
      await peer.fatal(sqlstate, message);
      return undefined;
    } finally {
      clearTimeout(timer);
      this.#logins.delete(peer);
    }
  }

  /** @throws {AdminError} 53300 */
  #checkRoom(role: Role): void {
    const sessions = [...this.#sessions.values()];
    const ofStats = sessions.filter((session) => session.role === "stats");
    const { maxStatsSessions = MAX_STATS_SESSIONS } = this.#options;
    const problem = sessions.length >= this.#maxSessions
      ? `the console has ${this.#maxSessions} sessions already`
      : role === "stats" && ofStats.length >= maxStatsSessions
      ? `the console has ${maxStatsSessions} sessions of the stats user already`
      : undefined;
    if (problem !== undefined) {
      throw new AdminError(SQLSTATE.tooManyConnections, problem);
    }
  }

  /** Half-open logins must not keep the others out: the oldest goes. */
  #makeRoom(): void {
    if (this.#logins.size < this.#maxSessions) return;
    const [oldest] = this.#logins;
    if (oldest === undefined) return;
    this.#logins.delete(oldest);
    oldest.close();
  }

  async #close(): Promise<void> {
    this.#accepting.close();
    for (const peer of this.#logins) peer.close();
    for (const session of this.#sessions.keys()) session.stop();
    const timer = setTimeout(() => {
      for (const { peer } of this.#sessions.values()) peer.close();
    }, CLOSE_TIMEOUT_MS);
    await Promise.all(this.#connections);
    clearTimeout(timer);
  }
}
