import {
  createServer,
  type IncomingMessage,
  type Server as ProtocolServer,
  type ServerResponse,
} from "node:http";
import { AcceptLoop } from "../listen/mod.ts";
import type { HttpRoute, Logger } from "../plugin/api.ts";
import { HttpConnection } from "./connection.ts";
import { requestOf, send } from "./exchange.ts";
import { createGuard, type Guard } from "./guard.ts";

/** Connections at once, each for one request. */
const MAX_CONNECTIONS = 64;
/** What a client gets to send its request, whole. */
const REQUEST_MS = 10_000;
/** What it gets to take its response, from then on. */
const RESPONSE_MS = 60_000;
const CLOSE_TIMEOUT_MS = 1000;
const ALLOWED = "GET, HEAD";
/** For probes of an orchestrator: no token, any Host. */
const OPEN_PATHS: ReadonlySet<string> = new Set(["/healthz", "/readyz"]);

/** The proxy's own state; trouble of the mirror is none of it. */
export interface Health {
  /** The main thread and every worker run. */
  readonly live: boolean;
  /** New clients are accepted. */
  readonly ready: boolean;
  /** Why not, e.g. `"draining"`. */
  readonly reason?: string;
}

export interface HttpOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Those of the plugins; `/healthz` and `/readyz` are there already. */
  readonly routes: readonly HttpRoute[];
  readonly health: () => Health;
  readonly log: Logger;
  /** Asked for by everything but the health routes; see {@linkcode createGuard}. */
  readonly token?: string | undefined;
  /** Default 10000. */
  readonly requestMs?: number;
  /** Default 60000. */
  readonly responseMs?: number;
  /** What {@linkcode HttpServer.close} gives the requests in progress. Default 1000. */
  readonly closeTimeoutMs?: number;
}

export interface HttpServer {
  readonly port: number;
  /** Lets requests in progress end, for a while. May be called twice. */
  close(): Promise<void>;
}

/**
 * Serves the routes by exact path, for GET and HEAD. A route that throws is
 * answered with 500 and logged; the others go on.
 *
 * @throws {Deno.errors.AddrInUse} if the port is taken
 * @throws {TypeError} if two routes have one path, or a path does not begin with `/`
 */
export function startHttp(options: HttpOptions): HttpServer {
  return new Server(options);
}

class Server implements HttpServer {
  readonly port: number;
  readonly #options: HttpOptions;
  readonly #routes: ReadonlyMap<string, HttpRoute>;
  readonly #guard: Guard;
  readonly #accepting: AcceptLoop;
  readonly #protocol: ProtocolServer;
  /** By their streams, the oldest first. */
  readonly #connections = new Map<unknown, HttpConnection>();
  /** Ways to answer the requests in progress in their routes' stead. */
  readonly #pending = new Set<(response: Response) => void>();
  #closing: Promise<void> | undefined;
  /** The last connection is closed. */
  #onIdle = () => {};

  constructor(options: HttpOptions) {
    const { host: hostname, port, token, log } = options;
    this.#options = options;
    this.#routes = routeTable(options);
    this.#guard = createGuard({ host: hostname, token });
    this.#protocol = createServer((request, response) => {
      void this.#serve(request, response);
    });
    this.#protocol.on("clientError", (_error, stream) => stream.destroy());
    const listener = Deno.listen({ hostname, port });
    this.port = listener.addr.port;
    this.#accepting = new AcceptLoop(listener, {
      onConnection: (conn) => this.#onConnection(conn),
      onRefused: (error) =>
        log.warn("HTTP server could not accept a connection", {
          error: String(error),
        }),
    });
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  #onConnection(conn: Deno.TcpConn): void {
    if (this.#connections.size >= MAX_CONNECTIONS && !this.#makeRoom()) {
      return conn.close();
    }
    const { requestMs = REQUEST_MS, responseMs = RESPONSE_MS } = this.#options;
    const connection = new HttpConnection(
      conn,
      { requestMs, responseMs },
      () => {
        this.#connections.delete(connection.stream);
        if (this.#connections.size === 0) this.#onIdle();
      },
    );
    this.#connections.set(connection.stream, connection);
    this.#protocol.emit("connection", connection.stream);
  }

  /** Who says nothing must not keep the others out: the oldest of them goes. */
  #makeRoom(): boolean {
    for (const connection of this.#connections.values()) {
      if (connection.answering) continue;
      connection.close();
      return true;
    }
    return false;
  }

  /** Never throws. */
  async #serve(message: IncomingMessage, to: ServerResponse): Promise<void> {
    if (!this.#connections.get(message.socket)?.answer()) return;
    const instead = Promise.withResolvers<Response>();
    this.#pending.add(instead.resolve);
    try {
      const response = await Promise.race([
        this.#answer(message),
        instead.promise,
      ]);
      await send(response, to);
    } catch {
      // The client has gone, or has been too slow.
      to.destroy();
    } finally {
      this.#pending.delete(instead.resolve);
    }
  }

  async #answer(message: IncomingMessage): Promise<Response> {
    let request: Request;
    try {
      request = requestOf(message);
    } catch {
      return text(400, "Bad request");
    }
    return await answer(request, this.#routes, this.#guard, this.#options.log);
  }

  async #close(): Promise<void> {
    const { closeTimeoutMs = CLOSE_TIMEOUT_MS } = this.#options;
    this.#accepting.close();
    const connections = () => this.#connections.values();
    for (const connection of connections()) {
      if (!connection.answering) connection.close();
    }
    let timer = setTimeout(() => {
      for (const answer of this.#pending) answer(text(503, "Closing"));
      // A client that takes no bytes of its response must not hold us up, either.
      timer = setTimeout(() => {
        for (const connection of connections()) connection.close();
      }, closeTimeoutMs);
    }, closeTimeoutMs);
    if (this.#connections.size > 0) {
      await new Promise<void>((resolve) => this.#onIdle = resolve);
    }
    clearTimeout(timer);
  }
}

function routeTable(options: HttpOptions): ReadonlyMap<string, HttpRoute> {
  const table = new Map<string, HttpRoute>();
  const { health, routes } = options;
  for (const route of [...healthRoutes(health), ...routes]) {
    if (!route.path.startsWith("/")) {
      throw new TypeError(`HTTP path "${route.path}" must begin with "/"`);
    }
    if (table.has(route.path)) {
      throw new TypeError(`HTTP path "${route.path}" is there twice`);
    }
    table.set(route.path, route);
  }
  return table;
}

function healthRoutes(health: () => Health): HttpRoute[] {
  const say = (good: boolean, word: string, reason = "no reason given") =>
    good ? text(200, word) : text(503, `not ${word}: ${reason}`);
  return [
    {
      path: "/healthz",
      handle() {
        const { live, reason } = health();
        return say(live, "live", reason);
      },
    },
    {
      path: "/readyz",
      handle() {
        const { live, ready, reason } = health();
        return say(live && ready, "ready", reason);
      },
    },
  ];
}

async function answer(
  request: Request,
  routes: ReadonlyMap<string, HttpRoute>,
  guard: Guard,
  log: Logger,
): Promise<Response> {
  const { pathname } = new URL(request.url);
  const route = routes.get(pathname);
  const isHead = request.method === "HEAD";
  const refusal = OPEN_PATHS.has(pathname) ? undefined : guard(request);
  let response: Response;
  if (refusal !== undefined) {
    response = refusal;
  } else if (route === undefined) {
    const paths = [...routes.keys()].sort();
    response = text(404, ["Not found. There is:", ...paths].join("\n"));
  } else if (request.method !== "GET" && !isHead) {
    response = text(405, "Method not allowed");
    response.headers.set("allow", ALLOWED);
  } else {
    try {
      response = await route.handle(request);
      // A plugin may be written in plain JavaScript.
      if (!(response instanceof Response)) {
        throw new TypeError("Route did not give a Response");
      }
    } catch (error) {
      response = failed(log, route.path, error);
    }
  }
  return withHeaders(response, isHead);
}

/** A response of a route may be immutable, e.g. from `Response.redirect`: hence the copy. */
function withHeaders(response: Response, isHead: boolean): Response {
  const { status, statusText, body } = response;
  const headers = new Headers(response.headers);
  headers.set("x-content-type-options", "nosniff");
  // Another origin's page can't embed what is here, nor learn its address.
  headers.set("cross-origin-resource-policy", "same-origin");
  headers.set("referrer-policy", "no-referrer");
  if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
  if (isHead) void body?.cancel();
  return new Response(isHead ? null : body, { status, statusText, headers });
}

function failed(log: Logger, path: string, error: unknown): Response {
  log.error("HTTP route failed", {
    path,
    error: error instanceof Error ? error.message : String(error),
  });
  return text(500, "Internal error; the log has the reason");
}

function text(status: number, body: string): Response {
  return new Response(`${body}\n`, {
    status,
    headers: { "content-type": "text/plain; charset=utf-8" },
  });
}
