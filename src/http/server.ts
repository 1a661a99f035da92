import { Episode } from "../episode.ts";
import type { HttpRoute, Logger } from "../plugin/api.ts";
import { createGuard, type Guard } from "./guard.ts";

const CLOSE_TIMEOUT_MS = 1000;
/** After listening ended by itself. */
const RESTART_MS = 100;
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
  const { host: hostname, log } = options;
  const { closeTimeoutMs = CLOSE_TIMEOUT_MS } = options;
  const routes = routeTable(options);
  const guard = createGuard({ host: hostname, token: options.token });
  /** Ways to answer the requests in progress in their routes' stead. */
  const pending = new Set<(response: Response) => void>();
  const failures = new Episode();
  let closing: Promise<void> | undefined;
  let restart: ReturnType<typeof setTimeout> | undefined;
  let server = serve(options.port);
  const { port } = server.addr;

  function serve(port: number): Deno.HttpServer<Deno.NetAddr> {
    const server = Deno.serve({
      hostname,
      port,
      onListen() {},
      onError: (error) => failed(log, "response", error),
    }, respond);
    server.finished.catch(restartLater);
    return server;
  }

  /** Deno.serve ends for good when it can't accept a connection, e.g. for want of descriptors. */
  function restartLater(error: unknown): void {
    if (failures.shows(performance.now())) {
      log.warn("HTTP server could not accept a connection, and starts again", {
        error: String(error),
      });
    }
    if (closing !== undefined) return;
    restart = setTimeout(() => {
      try {
        server = serve(port);
      } catch (again) {
        restartLater(again);
      }
    }, RESTART_MS);
  }

  async function respond(request: Request): Promise<Response> {
    const { promise, resolve } = Promise.withResolvers<Response>();
    pending.add(resolve);
    try {
      return await Promise.race([answer(request, routes, guard, log), promise]);
    } finally {
      pending.delete(resolve);
    }
  }

  /** An abort signal would not do: Deno throws if it comes while shutdown() waits. */
  async function close(): Promise<void> {
    clearTimeout(restart);
    const lingering = Promise.withResolvers<void>();
    let timer = setTimeout(() => {
      for (const resolve of pending) resolve(text(503, "Closing"));
      // A client that takes no bytes of its response must not hold us up, either.
      timer = setTimeout(() => lingering.resolve(), closeTimeoutMs);
    }, closeTimeoutMs);
    await Promise.race([server.shutdown(), lingering.promise]);
    clearTimeout(timer);
  }

  return { port, close: () => closing ??= close() };
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
